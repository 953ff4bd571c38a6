"""The GeoPackage opens in a real QGIS and looks like a road map; skipped where QGIS is not installed."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from roadlift.export import save
from roadlift.imagery import Georef
from roadlift.network import vectorize

SCRIPT = """
import json, os, sys
os.environ["QT_QPA_PLATFORM"] = "offscreen"
from qgis.core import QgsApplication, QgsMapRendererParallelJob, QgsMapSettings, QgsVectorLayer
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor
QgsApplication.setPrefixPath("/usr", True)
application = QgsApplication([], False)
application.initQgis()
layers = [QgsVectorLayer(f"{sys.argv[1]}|layername={name}", name, "ogr") for name in ("nodes", "edges", "issues")]
settings = QgsMapSettings()
settings.setLayers(layers)
settings.setDestinationCrs(layers[1].crs())
settings.setExtent(layers[1].extent())
settings.setOutputSize(QSize(300, 300))
settings.setBackgroundColor(QColor(255, 255, 255))
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
image = job.renderedImage()
colours = {image.pixelColor(x, y).name() for x in range(0, 300, 2) for y in range(0, 300, 2)}
found = {layer.name(): [layer.isValid(), layer.featureCount(), layer.renderer().type()] for layer in layers}
print(json.dumps({"layers": found, "crs": layers[1].crs().authid(), "colours": sorted(colours)}))
sys.stdout.flush()
os._exit(0)
"""


def _qgis_python():
    python = shutil.which("python3", path="/usr/bin")
    if python is None:
        return None
    probe = subprocess.run([python, "-c", "import qgis.core"], capture_output=True, check=False)
    return python if probe.returncode == 0 else None


def test_qgis_opens_and_draws_the_network(tmp_path):
    python = _qgis_python()
    if python is None:
        pytest.skip("QGIS is not installed (Debian: apt-get install python3-qgis)")
    probability = np.zeros((200, 200), np.uint8)
    probability[97:104] = 254
    probability[97:104, 120:128] = 0
    probability[:, 60:68] = 200
    georef = Georef(CRS.from_epsg(32619), Affine(1.0, 0.0, 300_000.0, 0.0, -1.0, 4_700_000.0))
    roads = vectorize(probability, georef, ground_resolution_m=1.0)
    save(roads, tmp_path / "roads.gpkg")
    done = subprocess.run(
        [python, "-c", SCRIPT, str(tmp_path / "roads.gpkg")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["crs"] == "EPSG:32619"
    assert report["layers"]["edges"] == [True, 6, "RuleRenderer"]
    assert report["layers"]["nodes"][:2] == [True, 7]
    assert report["layers"]["issues"][0]
    # A sure road yellow, a likely one orange, both with a dark casing, and the bridged gap blue, on white.
    assert {"#ffffff", "#ffd54a", "#f2764b", "#2b3440", "#2f9fe0"} <= set(report["colours"])
