"""Files and names that point elsewhere: at files of this machine, at its network, at code."""

from __future__ import annotations

import json

import rasterio
from kinds import INPUT, LIMIT, Place, kind
from tiffs import ASCII, tiff

RAW = """<VRTDataset rasterXSize="100" rasterYSize="100">
  <VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">
    <SourceFilename relativetoVRT="0">{}</SourceFilename><ImageOffset>0</ImageOffset>
    <PixelOffset>1</PixelOffset><LineOffset>100</LineOffset></VRTRasterBand></VRTDataset>"""
SIMPLE = """<VRTDataset rasterXSize="200" rasterYSize="200">{before}
  <SRS>EPSG:32619</SRS><GeoTransform>300000, 1, 0, 4700000, 0, -1</GeoTransform>
  <VRTRasterBand dataType="Byte" band="1"{band}><{source}><SourceFilename relativeToVRT="{relative}">{name}</SourceFilename>
    <SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="200" ySize="200"/>
    <DstRect xOff="0" yOff="0" xSize="200" ySize="200"/></{source}>{after}</VRTRasterBand></VRTDataset>"""


def simple(
    name: str,
    *,
    relative: int = 0,
    before: str = "",
    after: str = "",
    band: str = "",
    source: str = "SimpleSource",
) -> str:
    return SIMPLE.format(name=name, relative=relative, before=before, after=after, band=band, source=source)


# Other formats under the name of an image


@kind(INPUT, "cannot be opened as GTiff: it begins with b'<VRTData")
def a_vrt_called_tif(place: Place) -> list[str]:
    return place.extract(place.file("image.tif", RAW.format(place.secret)))


@kind(INPUT, "cannot be opened as GTiff: it begins with b'<MRF_MET")
def an_mrf_called_tif(place: Place) -> list[str]:
    raster = "<Raster><Size x='64' y='64' c='1'/><DataFile>PLANTED.bin</DataFile></Raster>"
    return place.extract(place.file("image.tif", f"<MRF_META>{raster}<Options>V=ON</Options></MRF_META>"))


# VRTs


@kind(INPUT, "holds VRTRawRasterBand, which is refused")
def a_vrt_of_raw_bytes(place: Place) -> list[str]:
    return place.extract(place.file("image.vrt", RAW.format(place.secret)))


@kind(INPUT, "holds VRTRawRasterBand, which is refused")
def a_vrt_of_raw_bytes_written_otherwise(place: Place) -> list[str]:
    text = RAW.format(place.secret).replace("VRTRawRasterBand", "VRTRaw&#82;asterBand")
    return place.extract(place.file("image.vrt", text))


@kind(INPUT, r"made of .*secret\.txt, which is refused")
def a_vrt_of_a_secret(place: Place) -> list[str]:
    return place.extract(place.file("image.vrt", simple(str(place.secret))))


@kind(INPUT, r"made of .*inner\.tif, which is refused: .*begins with")
def a_vrt_of_a_vrt_called_tif(place: Place) -> list[str]:
    place.file("inner.tif", RAW.format(place.secret))
    return place.extract(place.file("image.vrt", simple("inner.tif", relative=1)))


@kind(INPUT, r"made of .*inner\.vrt, which is refused: .*VRTRawRasterBand")
def a_vrt_of_a_vrt_of_raw_bytes(place: Place) -> list[str]:
    place.file("inner.vrt", RAW.format(place.secret))
    return place.extract(place.file("image.vrt", simple("inner.vrt", relative=1)))


@kind(INPUT, "does not exist")
def a_vrt_of_the_network(place: Place) -> list[str]:
    return place.extract(place.file("image.vrt", simple(f"/vsicurl/{place.address}/a.tif")))


@kind(INPUT, "does not exist")
def a_vrt_of_an_address(place: Place) -> list[str]:
    return place.extract(place.file("image.vrt", simple(f"{place.address}/a.tif")))


@kind(INPUT, "ends in|does not exist")
def a_vrt_of_a_vrt_in_its_name(place: Place) -> list[str]:
    inner = RAW.format(place.secret).replace("<", "&lt;")
    return place.extract(place.file("image.vrt", simple(inner)))


@kind(INPUT, "made of itself")
def a_vrt_of_itself(place: Place) -> list[str]:
    return place.extract(place.file("image.vrt", simple("image.vrt", relative=1)))


@kind(INPUT, "made of itself")
def two_vrts_of_each_other(place: Place) -> list[str]:
    place.file("other.vrt", simple("image.vrt", relative=1))
    return place.extract(place.file("image.vrt", simple("other.vrt", relative=1)))


@kind(INPUT, "holds VRTDerivedRasterBand, which is refused")
def a_vrt_of_code(place: Place) -> list[str]:
    code = "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionCode>open('x','w')</PixelFunctionCode>"
    place.image("a.tif")
    text = simple("a.tif", relative=1, after=code, band=' subClass="VRTDerivedRasterBand"')
    return place.extract(place.file("image.vrt", text))


@kind(INPUT, "holds <PixelFunctionType>, which is refused")
def a_vrt_of_a_function(place: Place) -> list[str]:
    place.image("a.tif")
    text = simple("a.tif", relative=1, after="<PixelFunctionType>inv</PixelFunctionType>")
    return place.extract(place.file("image.vrt", text))


@kind(INPUT, "holds a DOCTYPE, which is refused")
def a_vrt_of_a_billion_laughs(place: Place) -> list[str]:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    text = f'<!DOCTYPE v [<!ENTITY l0 "ha">{levels}]><VRTDataset>&l9;</VRTDataset>'
    return place.extract(place.file("image.vrt", text))


@kind(INPUT, "holds a DOCTYPE, which is refused")
def a_vrt_with_an_entity_of_a_file(place: Place) -> list[str]:
    text = f'<!DOCTYPE v [<!ENTITY x SYSTEM "file://{place.secret}">]><VRTDataset>&x;</VRTDataset>'
    return place.extract(place.file("image.vrt", text))


@kind(INPUT, "nested deeper than")
def a_vrt_without_end(place: Place) -> list[str]:
    return place.extract(place.file("image.vrt", "<VRTDataset>" * 200_000))


@kind(INPUT, "not well-formed XML")
def a_vrt_that_is_no_xml(place: Place) -> list[str]:
    return place.extract(place.file("image.vrt", "<VRTDataset rasterXSize='1'"))


@kind(INPUT, "cannot be opened as VRT|no band")
def a_vrt_of_nothing(place: Place) -> list[str]:
    return place.extract(place.file("image.vrt", '<VRTDataset rasterXSize="9" rasterYSize="9"></VRTDataset>'))


@kind(LIMIT, r"4,000,000,000,000 pixels; at most")
def a_vrt_without_borders(place: Place) -> list[str]:
    place.image("a.tif")
    text = simple("a.tif", relative=1).replace(
        'XSize="200" rasterYSize="200"', 'XSize="2000000" rasterYSize="2000000"'
    )
    return place.extract(place.file("image.vrt", text))


@kind(LIMIT, r"made of .*bomb\.tif, which is refused: .*blocks of 32,768")
def a_vrt_of_a_bomb(place: Place) -> list[str]:
    place.file("bomb.tif", tiff(32768, 32768, tile=32768, data=b"x"))
    return place.extract(place.file("image.vrt", simple("bomb.tif", relative=1)))


@kind(INPUT, "mixes uint16 and uint8")
def a_vrt_of_two_types(place: Place) -> list[str]:
    place.image("a.tif")
    text = simple("a.tif", relative=1)
    band = text[text.index("  <VRTRasterBand") : text.index("</VRTDataset>")]
    more = "".join(
        band.replace('band="1"', f'band="{number}"').replace("Byte", kind_of)
        for number, kind_of in ((2, "UInt16"), (3, "Byte"))
    )
    return place.extract(place.file("image.vrt", text.replace("</VRTDataset>", f"{more}</VRTDataset>")))


@kind(INPUT, "palette for float32")
def a_vrt_of_a_palette_of_fractions(place: Place) -> list[str]:
    place.image("a.tif")
    table = (
        '<ColorInterp>Palette</ColorInterp><ColorTable><Entry c1="999" c2="-5" c3="0" c4="255"/></ColorTable>'
    )
    text = simple("a.tif", relative=1, after=table).replace("Byte", "Float32")
    return place.extract(place.file("image.vrt", text))


# Tags and files beside an image


def _overviews(name: str, reference: str) -> None:
    @kind(INPUT, "names another file as its overviews, which is refused", name)
    def overviews(place: Place) -> list[str]:
        path = place.image()
        value = reference.format(secret=place.secret, address=place.address, raw=RAW.format(place.secret))
        with rasterio.open(path, "r+") as file:
            file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=value)
        return place.extract(path)


_overviews("overviews_of_a_secret", "{secret}")
_overviews("overviews_of_a_vrt", "{raw}")
_overviews("overviews_of_the_network", "/vsicurl/{address}/x.tif")


@kind(INPUT, "names another file as its overviews, which is refused")
def a_vrt_of_overviews_of_the_network(place: Place) -> list[str]:
    path = place.image("a.tif")
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{place.address}/x.tif")
    return place.extract(place.file("image.vrt", simple("a.tif", relative=1)))


@kind(INPUT, r"image\.tif\.ovr cannot be opened as GTiff: it begins with b'<VRT")
def overviews_beside_it_that_are_a_vrt(place: Place) -> list[str]:
    place.file("image.tif.ovr", RAW.format(place.secret))
    return place.extract(place.image())


@kind(INPUT, r"image\.tif\.msk cannot be opened as GTiff: it begins with b'<VRT")
def a_mask_beside_it_that_is_a_vrt(place: Place) -> list[str]:
    place.file("image.tif.msk", RAW.format(place.secret))
    return place.extract(place.image())


@kind(INPUT, r"cannot be opened|is damaged|names another file")
def metadata_of_garbage(place: Place) -> list[str]:
    item = '<GDALMetadata><Item name="OVERVIEW_FILE" domain="OVERVIEWS">/etc/passwd</Item></GDALMetadata>\0'
    content = tiff(20, 20, data=bytes(1200), extra={42112: (ASCII, item.encode())})
    return place.extract(place.file("image.tif", content))


@kind(INPUT, "is damaged: rows 0-19")
def metadata_in_no_script(place: Place) -> list[str]:
    content = tiff(20, 20, offsets=[2**30], counts=[1200], extra={42112: (ASCII, b"<\xcb\xff\xd7>\0")})
    return place.extract(place.file("image.tif", content))


# Names that are no files


def _name(name: str, text: str) -> None:
    @kind(INPUT, "does not exist; give the path of an image", name)
    def names(place: Place) -> list[str]:
        place.image()
        return place.extract(
            text.format(image=place.folder / "image.tif", address=place.address, secret=place.secret)
        )


_name("a_directory_of_a_tiff", "GTIFF_DIR:1:{image}")
_name("a_raw_tiff", "GTIFF_RAW:{image}")
_name("a_curl", "/vsicurl/{address}/a.tif")
_name("an_archive_in_a_name", "/vsizip/{image}")
_name("a_file_in_memory", "/vsimem/a.tif")
_name("standard_input", "/vsistdin/a.tif")
_name("a_vrt_in_a_name", "<VRTDataset/>.tif")
_name("a_vrt_link", "vrt://{image}?bands=1")
_name("an_address_of_a_bucket", "s3://bucket/a.tif")
_name("an_address_of_a_file", "file://{image}")
_name("a_database", "PG:dbname=gis")


@kind(INPUT, "remote VRT, which is refused")
def a_remote_vrt(place: Place) -> list[str]:
    return place.extract("http://127.0.0.1:9/a.vrt")


@kind(INPUT, r"cannot be opened as GTiff")
def an_address_where_nobody_answers(place: Place) -> list[str]:
    return place.extract("http://127.0.0.1:9/a.tif")


# Lists and STAC documents


def _document(name: str, says: str, text: str, suffix: str = ".json") -> None:
    @kind(INPUT, says, name)
    def document(place: Place) -> list[str]:
        filled = text.replace("ADDRESS", place.address).replace("SECRET", str(place.secret))
        return place.extract(place.file(f"images{suffix}", filled))


def _item(href: str) -> str:
    return json.dumps(
        {
            "type": "Feature",
            "id": "s",
            "assets": {"visual": {"href": href, "roles": ["visual"], "type": "image/tiff"}},
        }
    )


_document("stac_that_is_no_json", "not JSON", "{")
_document("stac_nested_without_end", "not JSON", "[" * 200_000)
_document("stac_of_another_kind", "is not STAC: its type is 'Topology'", '{"type": "Topology"}')
_document("stac_of_a_secret", r"secret\.txt ends in '\.txt'", _item("SECRET"))
_document("stac_of_a_bucket", "s3://bucket/a.tif, which is not read", _item("s3://bucket/a.tif"))
_document("stac_of_curl", "/vsicurl/.*, which is not read", _item("/vsicurl/ADDRESS/a.tif"))
_document(
    "stac_of_itself",
    "names no image",
    '{"type": "Collection", "links": [{"rel": "item", "href": "images.json"}]}',
)
_document("a_list_of_names_that_are_no_files", "does not exist", "GTIFF_DIR:1:a.tif\n", ".txt")
_document("a_list_of_nothing", "names no image", "# nothing\n", ".txt")
_document("a_list_of_a_secret", r"secret\.txt ends in '\.txt'", "SECRET\n", ".txt")
