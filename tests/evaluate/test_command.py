import json

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.colors import to_rgb
from PIL import Image

from roadlift.cli import cli
from roadlift.evaluate import evaluate, load_pair
from roadlift.report.figures import FALSE, MISSED, RIGHT
from roadlift.report.worst import coloured, draw_worst

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    truth = np.zeros((120, 160), np.uint8)
    truth[57:64] = 255
    for side in ("predictions", "truths", "images"):
        (folder / side).mkdir()
    for name, shift in (("a", 0), ("b", 4)):
        Image.fromarray(np.roll(truth, shift, axis=0)).save(folder / "predictions" / f"{name}_mask.png")
        Image.fromarray(truth).save(folder / "truths" / f"{name}.png")
        Image.fromarray(np.full((120, 160, 3), 100, np.uint8)).save(folder / "images" / f"{name}.png")
    return folder


def run(folder, *arguments):
    words = [str(folder / "predictions"), str(folder / "truths"), *(str(argument) for argument in arguments)]
    return CliRunner().invoke(cli, ["evaluate", *words])


def test_the_table_is_printed_with_its_explanation(folders):
    result = run(folders, "--explain", "--quiet")
    assert result.exit_code == 0
    assert result.output == ""
    result = run(folders, "--explain", "--images", folders / "images")
    assert result.exit_code == 0, result.output
    assert "apls_spacenet" in result.output
    assert "points of IoU" in result.output


def test_truths_without_a_prediction_are_named(folders):
    extra = folders / "truths" / "c.png"
    Image.fromarray(np.zeros((120, 160), np.uint8)).save(extra)
    try:
        assert "no prediction for c: not scored" in run(folders).output
    finally:
        extra.unlink()


def test_json_is_all_that_is_printed(folders):
    result = run(folders, "--json")
    values = json.loads(result.stdout)
    assert [row["image"] for row in values["images"]] == ["a", "b"]
    assert values["images"][0]["iou"] == 1


def test_a_table_and_pictures_are_written_once(folders, tmp_path):
    options = ("--csv", tmp_path / "scores.csv", "--worst", "1", tmp_path / "worst")
    assert run(folders, *options).exit_code == 0
    assert [path.name for path in (tmp_path / "worst").iterdir()] == ["01_b.png"]
    assert run(folders, *options).exit_code == 6 or run(folders, *options).exception is not None
    assert run(folders, *options, "--overwrite").exit_code == 0


def test_colours_say_what_is_right_missed_and_false():
    truth, predicted = np.zeros((2, 40, 40), bool)
    truth[10:20] = True
    predicted[15:25] = True
    pixels = coloured(load_pair(predicted, truth)).astype(int)
    for row, colour in ((12, MISSED), (17, RIGHT), (22, FALSE)):
        assert np.abs(pixels[row, 5] - np.rint(255 * (0.8 * np.array(to_rgb(colour)) + 0.2))).max() <= 1
    assert (pixels[30, 5] == 255).all()


def test_no_image_to_draw_is_refused(tmp_path):
    truth = np.zeros((40, 40), bool)
    truth[10:17] = True
    from roadlift.errors import UsageError

    with pytest.raises(UsageError, match="give 1 or more"):
        draw_worst(evaluate(truth, truth), 0, tmp_path)
