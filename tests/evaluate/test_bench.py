import json

import numpy as np
import pandas as pd
import pytest

import roadlift
from roadlift.errors import InputError, UsageError
from roadlift.evaluate import METRICS, Confusion, evaluate
from roadlift.evaluate.bench import pair_up


def road(row=150, rows=300, cols=300):
    mask = np.zeros((rows, cols), bool)
    mask[row - 3 : row + 4] = True
    return mask


@pytest.fixture(scope="module")
def truths():
    column = road().T | road()
    return [road(), column, road(100) | road(200)]


@pytest.fixture(scope="module")
def result(truths):
    rng = np.random.default_rng(0)
    predictions = [np.where(truth, 0.8, 0.1) * rng.uniform(0.5, 1, truth.shape) for truth in truths]
    predictions[1][:, 200:] = 0.0
    return evaluate(predictions, truths, threshold=0.45)


def test_the_package_is_called_for_its_main_function():
    assert roadlift.evaluate(road(), road()).apls == 1
    assert roadlift.evaluate.evaluate is evaluate
    with pytest.raises(AttributeError, match="no 'speed'"):
        roadlift.evaluate(road(), road()).speed  # noqa: B018


def test_a_perfect_prediction_has_the_best_of_every_score():
    mask = road() | road().T
    total = evaluate(mask, mask).total
    best = {"higher": 1.0, "lower": 0.0}
    for name, row in total.iterrows():
        if row["better"] and name not in ("average_precision", "best_iou", "breakeven"):
            assert row["value"] == pytest.approx(best[row["better"]], abs=0.005), name


def test_the_table_has_a_row_an_image_and_a_column_a_score(result):
    assert list(result.images.index) == ["image 1", "image 2", "image 3"]
    assert list(result.images.columns) == [metric.name for metric in METRICS] + ["reasons"]
    assert list(result.total.columns) == ["group", "better", "value", "low", "high", "images"]


def test_the_total_is_of_summed_counts(result):
    counts = sum((scores.confusion for scores in result.scores), Confusion())
    assert result.iou == counts.iou
    assert result.iou != pytest.approx(result.images["iou"].mean(), abs=1e-4)


def test_graph_scores_are_means_over_images(result):
    assert result.apls == pytest.approx(result.images["apls_spacenet"].mean())


def test_one_image_alone_equals_its_row(result, truths):
    scores = result.scores[0]
    assert result.images.loc["image 1", "average_precision"] == pytest.approx(
        scores.histogram.average_precision()
    )
    assert result.images.loc["image 1", "best_iou"] == pytest.approx(scores.histogram.best_iou()[0])
    assert result.images.loc["image 1", "best_threshold"] == pytest.approx(scores.histogram.best_iou()[1])
    assert result.images.loc["image 1", "relaxed_f1"] == pytest.approx(scores.relaxed.f1)
    assert result.images.loc["image 1", "quality"] == pytest.approx(scores.buffers.quality)
    assert result.images.loc["image 1", "quality_wiedemann"] == pytest.approx(
        scores.buffers.quality_wiedemann
    )


def test_intervals_hold_the_value_and_are_the_same_each_time(result, truths):
    total = result.total
    known = total[total["low"].notna()]
    assert len(known) > 20
    assert (known["low"] <= known["value"] + 1e-9).all()
    assert (known["value"] <= known["high"] + 1e-9).all()
    assert total.at["iou", "low"] < total.at["iou", "high"]


def test_a_network_too_large_for_apls_still_has_its_other_scores(monkeypatch):
    monkeypatch.setattr("roadlift.evaluate.apls.MAX_NODES", 1)
    result = evaluate(road(), road())
    assert np.isnan(result.apls)
    assert result.iou == 1
    assert "Score it in tiles" in result.images["reasons"].iloc[0]


def test_one_image_has_no_interval():
    assert evaluate(road(), road()).total["low"].isna().all()


def test_without_roads_scores_are_undefined_with_a_reason():
    nothing = np.zeros((60, 60), bool)
    result = evaluate(nothing, nothing)
    assert np.isnan(result.iou)
    assert np.isnan(result.topo_f1)
    assert "TOPO: no true road" in result.images["reasons"].iloc[0]
    assert evaluate(nothing, road(30, 60, 60)).iou == 0


def test_an_image_without_roads_does_not_lower_the_mean_of_apls():
    nothing = np.zeros((60, 60), bool)
    result = evaluate([road(), nothing], [road(), nothing])
    assert result.apls == 1
    assert result.total.at["apls_spacenet", "images"] == 1
    missed = evaluate([road(), nothing], [road(), road(30, 60, 60)])
    assert missed.apls == 0.5


def test_a_mask_has_no_scores_of_thresholds():
    result = evaluate(road(), road())
    assert np.isnan([result.average_precision, result.best_threshold, result.breakeven]).all()
    assert "no probabilities" in result.images["reasons"].iloc[0]


def test_json_and_csv_hold_everything(result, tmp_path):
    values = json.loads(result.to_json())
    assert values["options"]["threshold"] == 0.45
    assert values["total"][0]["value"] == result.iou
    assert len(values["images"]) == 3
    result.to_csv(tmp_path / "scores.csv")
    table = pd.read_csv(tmp_path / "scores.csv", index_col="image")
    assert list(table.index) == ["image 1", "image 2", "image 3", "(total)"]
    assert table.loc["(total)", "iou"] == pytest.approx(result.iou)


def test_a_result_shows_its_main_figures(result):
    assert repr(result).startswith(f"Evaluation(3 images, IoU {result.iou:.3f}")


def test_the_worst_image_has_the_most_wrong_pixels(result):
    assert result.worst(1) == [1]


@pytest.mark.parametrize(
    ("prediction", "truth", "words"),
    [
        (np.zeros((300, 300), bool), road(), "100.0 points of IoU: true roads that are not found at all"),
        (np.roll(road(), 3, axis=0), road(), "lie 3.0 m beside the true ones"),
        (np.roll(road(), 5, axis=0), road(), "100 % of them more than 4 m, too far for APLS"),
        (road() & ~road(150).T, road(), "Nothing"),
        (road() | road(50), road(), "50 % of the predicted length is false (0.30 km)"),
    ],
    ids=["nothing", "3 m beside", "5 m beside", "a gap of 7 m", "a false road"],
)
def test_causes_are_named_with_their_numbers(prediction, truth, words):
    text = evaluate(prediction, truth).explain()
    if words == "Nothing":
        assert "missed" not in text
    else:
        assert words in text


def test_gaps_and_false_areas_are_counted():
    gap = road()
    gap[:, 100:145] = False
    truth = road()
    predicted = gap.copy()
    predicted[20:80, 200:260] = True
    causes = evaluate(predicted, truth).causes
    assert causes.gaps == 1
    assert causes.gap_m == pytest.approx(25, abs=10)
    assert causes.false_area_px == pytest.approx(3600, rel=0.05)
    assert "car parks" in evaluate(predicted, truth).explain()


def test_narrow_roads_are_told_from_wide_ones():
    truth = road(100)
    truth[199:202] = True
    text = evaluate(road(100), truth).explain()
    assert "Of roads under 5 m wide 100 % is missed, of wider ones 0 %." in text


def files(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    return folder


def test_folders_pair_by_stem(tmp_path):
    predictions = files(tmp_path / "p", "b_prob.tif", "a_prob.tif", "notes.txt")
    truths = files(tmp_path / "t", "a.png", "b_mask.geojson", "c.png")
    images = files(tmp_path / "i", "a.jpg", "b_sat.jpg")
    names = [
        (s.name, s.prediction.name, s.truth.name, s.image.name) for s in pair_up(predictions, truths, images)
    ]
    assert names == [
        ("a", "a_prob.tif", "a.png", "a.jpg"),
        ("b", "b_prob.tif", "b_mask.geojson", "b_sat.jpg"),
    ]


def test_what_has_no_partner_is_named(tmp_path):
    predictions = files(tmp_path / "p", "a.tif", "b.tif")
    with pytest.raises(InputError, match="has nothing for b of"):
        pair_up(predictions, files(tmp_path / "t", "a.tif"))
    with pytest.raises(InputError, match="no file of"):
        pair_up(predictions, files(tmp_path / "u", "z.tif"))
    with pytest.raises(InputError, match="same stem"):
        pair_up(predictions, files(tmp_path / "v", "a.tif", "a_mask.png"))
    with pytest.raises(UsageError, match="all be folders"):
        pair_up(predictions, tmp_path / "p" / "a.tif")
    with pytest.raises(InputError, match="1, 2 entries"):
        pair_up([road()], [road(), road()])
