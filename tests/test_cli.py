import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

import roadlift
from roadlift import errors
from roadlift.cli import cli, main
from roadlift.pipeline import ExtractOptions
from roadlift.scene import render


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    image, _, _ = render(5, shape=(320, 320)).save(folder, "city")
    return image


def _run(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_the_public_names_are_sorted_and_there():
    assert roadlift.__all__ == sorted(roadlift.__all__)
    for name in roadlift.__all__:
        assert getattr(roadlift, name).__name__.rpartition(".")[2] == name
    assert set(roadlift.__all__) <= set(dir(roadlift))
    with pytest.raises(AttributeError, match="no_such_name"):
        roadlift.no_such_name  # noqa: B018


def test_import_and_help_load_nothing_heavy():
    code = (
        "import sys, roadlift; from click.testing import CliRunner; from roadlift.cli import cli;"
        "CliRunner().invoke(cli, ['--help']);"
        "print([n for n in ('numpy', 'rasterio', 'openvino', 'geopandas', 'tensorflow', 'rich') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_extract_writes_everything_it_was_asked_for(scene, tmp_path):
    targets = {kind: tmp_path / f"{kind}.tif" for kind in ("probability", "mask")}
    result = _run(
        "extract", scene, tmp_path / "city.gpkg", "--json", "--overlay", tmp_path / "overlay.png",
        "--save-probability", targets["probability"], "--save-mask", targets["mask"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    edges = gpd.read_file(tmp_path / "city.gpkg", layer="edges")
    assert len(edges) == summary["edges"] > 3
    assert edges.length_m.sum() / 1000 == pytest.approx(summary["length_km"], abs=1e-3)
    assert edges.crs.to_epsg() == 32619
    with rasterio.open(targets["probability"]) as probability, rasterio.open(targets["mask"]) as mask:
        high = probability.read(1) >= 250
        assert high.any()
        assert (mask.read(1)[high] == 1).mean() > 0.99
        assert mask.colormap(1)[1][3] == 255
    assert (tmp_path / "overlay.png").read_bytes()[:4] == b"\x89PNG"


def test_extract_prints_what_it_found(scene, tmp_path):
    result = _run("extract", scene, tmp_path / "city.geojson")
    assert result.exit_code == 0, result.output
    assert "km of road" in result.stdout
    assert "MB peak" in result.stdout
    assert "1 of 1 tiles" in result.stderr
    quiet = _run("extract", scene, tmp_path / "city.geojson", "--quiet", "--overwrite")
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_several_images_make_one_result(scene, tmp_path):
    other, _, _ = render(6, shape=(320, 320)).save(tmp_path, "other")
    both, one = tmp_path / "both.gpkg", tmp_path / "one.gpkg"
    assert _run("extract", scene, other, both, "-q").exit_code == 0
    assert _run("extract", scene, one, "-q").exit_code == 0
    assert len(gpd.read_file(both, layer="edges")) > len(gpd.read_file(one, layer="edges"))


def test_predict_then_vectorize_equals_extract(scene, tmp_path):
    assert _run("predict", scene, tmp_path / "p.tif").exit_code == 0
    card = roadlift.load_model().card
    thresholds = ("--threshold", card.threshold, "--threshold-low", card.threshold_low)
    assert _run("vectorize", tmp_path / "p.tif", tmp_path / "two.geojson", *thresholds).exit_code == 0
    assert _run("extract", scene, tmp_path / "one.geojson", "-q").exit_code == 0
    one, two = (gpd.read_file(tmp_path / f"{name}.geojson") for name in ("one", "two"))
    assert one.geometry.to_wkt().tolist() == two.geometry.to_wkt().tolist()


def test_a_threshold_alone_moves_the_low_one():
    from roadlift.pipeline import network_options

    card = roadlift.load_model().card
    options = network_options(card, threshold=card.threshold / 2, threshold_low=None)
    assert options.threshold_low == pytest.approx(card.threshold_low / 2)
    assert network_options(card, threshold=None, threshold_low=0.01).threshold == card.threshold


def test_thresholds_that_are_equal_stay_equal():
    from roadlift.pipeline import network_options

    card = replace(roadlift.load_model().card, threshold=0.2, threshold_low=0.2)
    for threshold in (0.05, 0.1, 0.3, 0.7):
        options = network_options(card, threshold=threshold, threshold_low=None)
        assert options.threshold_low == options.threshold == threshold


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("extract", "missing.tif", "out.gpkg"), 3, "missing.tif"),
        (("extract", "SCENE", "out.shp"), 2, ".gpkg"),
        (("extract", "SCENE", "nowhere/out.gpkg"), 6, "nowhere"),
        (("extract", "SCENE", "out.gpkg", "--model", "no-model"), 2, "roadlift-1m"),
        (("extract", "SCENE", "out.gpkg", "--gsd", "1"), 2, "--gsd"),
        (("extract", "SCENE", "out.gpkg", "--threshold", "2"), 2, "threshold"),
        (("extract", "SCENE", "out.gpkg", "--save-mask", "out.gpkg"), 2, "same file"),
        (("extract", "SCENE", "SCENE", "out.gpkg", "--overlay", "o.png"), 2, "one image at a time"),
        (("extract", "SCENE", "out.geojson", "--dst-crs", "EPSG:32619"), 2, "WGS 84"),
        (("extract", "SCENE", "out.gpkg", "--dst-crs", "nonsense"), 2, "EPSG:32633"),
        (("vectorize", "SCENE", "out.txt"), 2, ".gpkg"),
        (("predict", "SCENE", "SCENE"), 6, "exists"),
        (("models", "show", "no-model"), 2, "no-model"),
    ],
)
def test_mistakes_end_in_their_exit_code_and_leave_nothing(
    scene, tmp_path, monkeypatch, capsys, arguments, code, text
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["roadlift", *(str(scene) if a == "SCENE" else a for a in arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == code
    assert text in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_picture_without_crs_is_refused_before_the_network_runs(raster, tmp_path):
    path = raster(np.zeros((3, 64, 64), np.uint8), "picture.png")
    result = _run("extract", path, tmp_path / "out.geojson")
    assert isinstance(result.exception, errors.UsageError)
    assert "--crs" in str(result.exception)
    assert "tile" not in result.stderr


def test_training_without_its_packages_says_what_to_install(tmp_path, monkeypatch):
    import roadlift.cli.options

    monkeypatch.setattr(roadlift.cli.options, "find_spec", lambda name: None if name == "keras" else object())
    result = _run("train", tmp_path, "--run", tmp_path / "run")
    assert isinstance(result.exception, errors.UsageError)
    assert "keras" in str(result.exception)
    assert "roadlift[train]" in str(result.exception)


def test_bands_must_be_numbers(scene, tmp_path):
    result = _run("extract", scene, tmp_path / "out.gpkg", "--bands", "red")
    assert result.exit_code == 2
    assert "3,2,1" in result.output


def test_flags_and_options_have_the_same_names():
    flags = {parameter.name for parameter in cli.commands["extract"].params}
    assert set(ExtractOptions.__dataclass_fields__) <= flags
    defaults = {parameter.name: parameter.default for parameter in cli.commands["extract"].params}
    for name in ("model", "runtime", "device", "blend", "batch_size"):
        assert defaults[name] == getattr(ExtractOptions(), name)


def test_every_train_option_has_a_flag():
    from roadlift.train.options import TrainOptions

    flags = {parameter.name for parameter in cli.commands["train"].params}
    assert set(TrainOptions.__dataclass_fields__) <= flags


def test_models_are_listed_and_shown():
    assert "roadlift-1m" in _run("models", "list").output
    cards = json.loads(_run("models", "list", "--json").output)
    assert [card["name"] for card in cards] == sorted(card["name"] for card in cards)
    shown = json.loads(_run("models", "show", "--json").output)
    assert shown["name"] == "roadlift-1m"
    assert "MassGIS" in shown["credit"]
    assert "OpenStreetMap" in _run("models", "show", "roadlift-1m").output


def test_inspect_says_what_an_image_is(scene):
    text = _run("inspect", scene).output
    assert "320" in text
    assert "32619" in text
    report = json.loads(_run("inspect", scene, "--json").output)
    assert isinstance(report, dict)


def test_demo_leaves_its_files_and_good_figures(tmp_path):
    result = _run("demo", "--folder", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"demo.png", "roads.gpkg", "probability.tif", "scene.tif", "scene_roads.gpkg"} <= names
    for name in ("demo.png", "roads.gpkg", "probability.tif", "scene.tif", "scene_roads.gpkg"):
        assert name in result.output
    from roadlift.demo import run_demo

    with pytest.raises(errors.InputError, match="is a file"):
        run_demo(tmp_path / "demo" / "scene.tif")


def test_the_scene_is_extracted_well(tmp_path):
    from roadlift.demo import run_demo

    result = run_demo(tmp_path)
    assert result.correctness > 0.9
    assert result.completeness > 0.85
    assert result.iou > 0.7


def test_array_of_one_image_equals_the_raster(scene, tmp_path):
    from roadlift.pipeline import predict_image

    model = roadlift.load_model()
    roadlift.predict(scene, tmp_path / "p.tif")
    with rasterio.open(tmp_path / "p.tif") as file:
        np.testing.assert_array_equal(file.read(1), predict_image(scene, model))


def test_vectorize_needs_a_scale(tmp_path):
    probability = np.zeros((64, 64), np.uint8)
    path = tmp_path / "p.tif"
    with roadlift_writer(path, probability.shape) as writer:
        from roadlift.imagery import Window

        writer.write(Window(0, 0, 64, 64), probability)
    with pytest.raises(errors.InputError, match="--gsd"):
        roadlift.vectorize(path)
    assert len(roadlift.vectorize(path, gsd=1.0).edges) == 0


def roadlift_writer(path: Path, shape):
    from affine import Affine

    from roadlift.imagery import Georef, ProbabilityWriter

    return ProbabilityWriter(path, shape, Georef(None, Affine.identity()))
