"""What an input names: folders, lists, STAC documents of this machine and of the web."""

import http.server
import json
import threading

import numpy as np
import pytest

from roadlift.errors import InputError, LimitError
from roadlift.imagery import Window, open_imagery
from roadlift.imagery.inputs import list_images

TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def _item(name, **assets):
    return {"type": "Feature", "stac_version": "1.0.0", "id": name, "assets": assets, "links": []}


def _asset(href, *roles, media_type=TIFF):
    return {"href": href, "type": media_type, "roles": list(roles)}


@pytest.fixture
def stac(tmp_path):
    """Return a function that writes a document and lists its images, relative to the folder."""

    def images(document, name="item.json"):
        path = tmp_path / name
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        found = list_images(path)
        return [str(image).removeprefix(f"{tmp_path}/") for image in found]

    return images


@pytest.fixture
def web(tmp_path):
    """Serve texts under the loopback address; give the address, the texts and the requests."""
    texts, requests = {}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            text = texts.get(self.path)
            if text is None or text.startswith("->"):
                self.send_response(404 if text is None else 302)
                self.send_header("Location", (text or "")[2:])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", texts, requests
        server.shutdown()


def test_a_folder_gives_its_images_by_name(tmp_path):
    for name in ("b.tif", "a.TIFF", "c.png", "mosaic.vrt", "notes.txt", ".hidden.tif", "a.tif.ovr"):
        (tmp_path / name).touch()
    (tmp_path / "folder.tif").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["a.TIFF", "b.tif", "c.png"]


def test_a_list_gives_its_lines(tmp_path):
    listed = tmp_path / "tiles.txt"
    listed.write_text(
        "# imagery of 2024\nb.tif\n\n  sub/a.tif  \n/data/c.tif\nhttps://example.com/d.tif\nb.tif\n"
    )
    assert [str(image) for image in list_images(listed)] == [
        f"{tmp_path}/b.tif",
        f"{tmp_path}/sub/a.tif",
        "/data/c.tif",
        "https://example.com/d.tif",
    ]


@pytest.mark.parametrize("where", ["city.tif", "missing", "http://example.com/a.tif?x=1", "mosaic.vrt"])
def test_an_image_names_itself(where):
    assert list_images(where) == (where,)


class TestAssets:
    def test_the_role_visual_comes_first(self, stac):
        item = _item(
            "s", B04=_asset("b4.tif", "data"), image=_asset("tci.tif", "visual"), B02=_asset("b2.tif", "data")
        )
        assert stac(item) == ["tci.tif"]

    def test_then_the_name_visual(self, stac):
        assert stac(_item("s", B04=_asset("b4.tif", "data"), visual=_asset("tci.tif", "data"))) == ["tci.tif"]

    def test_then_the_only_data(self, stac):
        item = _item(
            "naip",
            image=_asset("m_4207.tif", "data"),
            thumbnail=_asset("small.jpg", "thumbnail", media_type="image/jpeg"),
            metadata=_asset("meta.xml", "metadata", media_type="text/xml"),
            rendered=_asset("preview.png", "overview", media_type="image/png"),
        )
        assert stac(item) == ["m_4207.tif"]

    def test_then_the_only_image(self, stac):
        assert stac(_item("s", scan={"href": "sub/scan.tif"}, about={"href": "about.html"})) == [
            "sub/scan.tif"
        ]

    @pytest.mark.parametrize(
        "assets",
        [
            {"B02": _asset("b2.tif", "data"), "B03": _asset("b3.tif", "data")},
            {"cloud": _asset("cloud.jp2", "data", media_type="image/jp2")},
            {},
        ],
    )
    def test_others_are_named(self, stac, assets):
        with pytest.raises(InputError, match=r"'s'.*(B02, B03|none)"):
            stac(_item("s", **assets))


class TestDocuments:
    def test_a_collection_of_items(self, stac):
        items = [_item(name, visual=_asset(f"{name}.tif", "visual")) for name in ("z", "a")]
        assert stac({"type": "FeatureCollection", "features": items}) == ["z.tif", "a.tif"]

    def test_a_collection_links_its_items(self, stac, tmp_path):
        (tmp_path / "items").mkdir()
        for name in ("z", "a"):
            document = _item(name, visual=_asset(f"./{name}.tif", "visual"))
            (tmp_path / f"items/{name}.json").write_text(json.dumps(document))
        links = [{"rel": "root", "href": "catalog.json"}] + [
            {"rel": "item", "href": f"./items/{name}.json"} for name in ("z", "a")
        ]
        assert stac({"type": "Collection", "links": links}, "collection.json") == [
            "items/z.tif",
            "items/a.tif",
        ]

    def test_pages_of_the_web(self, web):
        address, texts, requests = web
        first = {
            "type": "FeatureCollection",
            "features": [_item("1", visual=_asset("one.tif", "visual"))],
            "links": [
                {"rel": "next", "href": "/page/2"},
                {"rel": "next", "href": "/never", "method": "POST"},
            ],
        }
        second = {
            "type": "FeatureCollection",
            "features": [_item("2", visual=_asset("https://a.b/two.tif", "visual"))],
        }
        texts |= {"/items": json.dumps(first), "/page/2": json.dumps(second), "/old": "->/items"}
        assert list_images(f"{address}/items") == (f"{address}/one.tif", "https://a.b/two.tif")
        assert requests == ["/items", "/page/2"]
        assert len(list_images(f"{address}/old")) == 2

    def test_documents_that_lead_to_themselves_end(self, stac):
        loop = {"type": "Collection", "links": [{"rel": "item", "href": "collection.json"}]}
        with pytest.raises(InputError, match="names no image"):
            stac(loop, "collection.json")


class TestRefused:
    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ("{", "not JSON"),
            ("[" * 100_000, "not JSON"),
            ("[]", "no JSON object"),
            ({"type": "Topology"}, "'Topology'"),
            ({"type": "Feature", "assets": {"visual": {"type": TIFF, "href": 7}}}, "without href"),
            (_item("s", visual=_asset("s3://bucket/a.tif", "visual")), "s3://bucket"),
            (_item("s", visual=_asset("file:///etc/passwd", "visual")), "file:///etc"),
            ({"type": "FeatureCollection", "features": 5}, "names no image"),
        ],
    )
    def test_documents(self, stac, document, message):
        with pytest.raises(InputError, match=message):
            stac(document)

    def test_the_web_reaches_no_file_of_this_machine(self, web):
        address, texts, _ = web
        texts["/a.json"] = json.dumps(_item("s", visual=_asset("file:///etc/secret.tif", "visual")))
        texts["/b.json"] = "->file:///etc/passwd"
        texts["/c.json"] = "->ftp://127.0.0.1:9/x"
        with pytest.raises(InputError, match="not read"):
            list_images(f"{address}/a.json")
        for name in "bcd":
            with pytest.raises(InputError, match="cannot be fetched"):
                list_images(f"{address}/{name}.json")

    def test_empty_folders_and_lists(self, tmp_path):
        (tmp_path / "empty.txt").write_text("# nothing\n")
        for where in (tmp_path, tmp_path / "empty.txt"):
            with pytest.raises(InputError, match=r"names no image.*\.tif"):
                list_images(where)

    def test_lists_that_are_no_text(self, tmp_path):
        (tmp_path / "l.txt").write_bytes(b"\xff\xfe\0")
        with pytest.raises(InputError, match="UTF-8"):
            list_images(tmp_path / "l.txt")

    def test_sizes(self, tmp_path, monkeypatch, web):
        address, texts, _ = web
        (tmp_path / "l.txt").write_text("a.tif\nb.tif\nc.tif")
        monkeypatch.setattr("roadlift.imagery.inputs.MAX_IMAGES", 2)
        with pytest.raises(LimitError, match="more than 2 images"):
            list_images(tmp_path / "l.txt")
        monkeypatch.setattr("roadlift.imagery.inputs.MAX_DOCUMENT_BYTES", 10)
        texts["/large.json"] = "x" * 1000
        for where in (tmp_path / "l.txt", f"{address}/large.json"):
            with pytest.raises(LimitError, match="10"):
                list_images(where)

    def test_collections_without_end(self, tmp_path, monkeypatch):
        monkeypatch.setattr("roadlift.imagery.inputs.MAX_DOCUMENTS", 3)
        for number in range(5):
            page = {"type": "FeatureCollection", "links": [{"rel": "next", "href": f"{number + 1}.json"}]}
            (tmp_path / f"{number}.json").write_text(json.dumps(page))
        with pytest.raises(LimitError, match="more than 3 documents"):
            list_images(tmp_path / "0.json")


def test_a_stac_item_of_this_machine_is_opened(raster, tmp_path):
    image = np.full((3, 20, 30), 77, np.uint8)
    raster(image, "scene.tif")
    (tmp_path / "scene.json").write_text(json.dumps(_item("scene", visual=_asset("./scene.tif", "visual"))))
    with open_imagery(tmp_path / "scene.json") as source:
        np.testing.assert_array_equal(source.read(Window(0, 0, 20, 30)).values, image)
