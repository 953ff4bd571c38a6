"""Virtual rasters (VRT) by rule: only what puts images of this machine together is allowed in one.

GDAL's VRT can do far more: read raw bytes of any file, fetch URLs, run code. So a VRT is read through an allow-list of
the elements that ``gdalbuildvrt``, ``gdal_translate`` and ``gdalwarp`` write, before GDAL sees it, and the images that it
names are handed back to be checked like any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.parsers import expat

from roadlift.errors import InputError, LimitError

MAX_VRT_BYTES = 64 * 2**20
MAX_DEPTH = 64
_REFERENCES = ("SourceFilename", "SourceDataset")
_SUBCLASSES = ("VRTWarpedDataset", "VRTSourcedRasterBand", "VRTWarpedRasterBand")
_ELEMENTS = frozenset(
    """
    VRTDataset SRS GeoTransform Metadata MDI GCPList GCP BlockXSize BlockYSize OverviewList
    VRTRasterBand Description UnitType Offset Scale NoDataValue HideNoDataValue ColorInterp ColorTable Entry
    CategoryNames Category Histograms HistItem HistMin HistMax BucketCount IncludeOutOfRange Approximate HistCounts
    MaskBand Overview SimpleSource ComplexSource AveragedSource KernelFilteredSource Kernel Size Coefs
    SourceFilename OpenOptions OOI SourceBand SourceProperties SrcRect DstRect NODATA UseMaskBand
    ScaleOffset ScaleRatio ColorTableComponent Exponent SrcMin SrcMax DstMin DstMax Clamp LUT
    GDALWarpOptions WarpMemoryLimit ResampleAlg WorkingDataType Option Options SourceDataset Transformer
    ApproxTransformer MaxError BaseTransformer GenImgProjTransformer SrcGeoTransform SrcInvGeoTransform
    DstGeoTransform DstInvGeoTransform ReprojectTransformer ReprojectionTransformer SourceSRS TargetSRS
    BandList BandMapping SrcNoDataReal SrcNoDataImag DstNoDataReal DstNoDataImag SrcAlphaBand DstAlphaBand
    Cutline CutlineBlendDist
    """.split()  # noqa: SIM905
)


def vrt_sources(path: Path) -> tuple[Path, ...]:
    """Read which files a virtual raster is made of.

    Args:
        path: The VRT, a local file.

    Returns:
        The files that it names, each once, in order; whether they exist is not looked at.

    Raises:
        InputError: It is not well-formed XML, or holds more than images put together: raw bytes, code, an entity.
        LimitError: It is larger than allowed.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "city.vrt"
        >>> _ = path.write_text("<VRTDataset><SourceFilename relativeToVRT='1'>a.tif</SourceFilename></VRTDataset>")
        >>> [source.name for source in vrt_sources(path)]
        ['a.tif']
    """
    size = path.stat().st_size
    if size > MAX_VRT_BYTES:
        raise LimitError(f"{path} has {size:,} bytes; a VRT may have {MAX_VRT_BYTES:,}. Split it.")
    reader = _Reader(path)
    try:
        reader.parse(path.read_bytes())
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise InputError(
            f"{path} is not well-formed XML: {error}. Write it again with gdalbuildvrt."
        ) from error
    return tuple(dict.fromkeys(reader.sources))


class _Reader:
    """Handlers of the XML parser; no tree is built and no entity expanded."""

    def __init__(self, path: Path) -> None:
        self.sources: list[Path] = []
        self._path = path
        self._depth = 0
        self._text: list[str] | None = None
        self._base = Path()

    def parse(self, content: bytes) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._doctype
        parser.Parse(content, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        kind = next((value for key, value in attributes.items() if key.lower() == "subclass"), None)
        if kind is not None and kind not in _SUBCLASSES:
            self._refuse(kind)
        if name not in _ELEMENTS or (self._depth == 1 and name != "VRTDataset"):
            self._refuse(f"<{name[:40]}>")
        if self._depth > MAX_DEPTH:
            self._refuse(f"elements nested deeper than {MAX_DEPTH} levels")
        if name in _REFERENCES:
            self._text = []
            relative = {key.lower(): value for key, value in attributes.items()}.get("relativetovrt", "0")
            self._base = self._path.parent if relative.strip() not in ("", "0") else Path()

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name in _REFERENCES and self._text is not None:
            self.sources.append(self._base / "".join(self._text))
            self._text = None

    def _doctype(self, *_: Any) -> None:
        self._refuse("a DOCTYPE")

    def _refuse(self, what: str) -> None:
        raise InputError(
            f"{self._path} holds {what}, which is refused: a VRT may only put images together, as gdalbuildvrt and "
            "gdalwarp write it. Turn it into a GeoTIFF with gdal_translate where you trust it."
        )
