"""A tiny network trained for a few steps for real, killed, gone on with, and published."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
import rasterio

from roadlift.errors import InputError, ModelError, UsageError
from roadlift.model import load_model
from roadlift.scene import render
from roadlift.train.data import Sample, read_samples
from roadlift.train.export import check_agreement, export_onnx
from roadlift.train.fit import train
from roadlift.train.halo import HaloError, choose_halo, measure_halos
from roadlift.train.judge import choose_thresholds, pixel_scores
from roadlift.train.options import TrainOptions
from roadlift.train.publish import Texts, publish
from roadlift.train.run import RunFolder
from roadlift.train.scenes import scene_samples
from roadlift.train.targets import Taught
from roadlift.train.trainer import Trainer, build

TINY = TrainOptions(
    architecture="unet",
    width=4,
    steps=12,
    batch_size=2,
    crop=64,
    warmup_steps=2,
    evaluate_every=4,
    learning_rate=3e-3,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split, seeds in (("train", (1, 2)), ("dev", (3,))):
        for seed in seeds:
            scene = render(seed, shape=(160, 160))
            for kind, array in (
                ("images", np.moveaxis(scene.image, 2, 0)),
                ("masks", scene.label()[None] * 255),
            ):
                path = folder / split / kind / f"{seed}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                profile = {
                    "driver": "GTiff",
                    "count": len(array),
                    "height": 160,
                    "width": 160,
                    "dtype": "uint8",
                }
                profile |= {"crs": scene.georef.crs, "transform": scene.georef.transform}
                with rasterio.open(path, "w", **profile) as file:
                    file.write(array)
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    train(data, folder, TINY)
    return folder


def _log(folder):
    return [row.split(",") for row in (folder / "log.csv").read_text().splitlines()]


def test_a_run_leaves_log_configuration_and_weights(run):
    head, *rows = _log(run)
    assert head[0] == "step"
    assert [row[0] for row in rows] == ["0", "4", "8", "12"]
    assert json.loads((run / "config.json").read_text())["width"] == 4
    assert (run / "weights" / "best.keras").stat().st_size > 10_000
    assert not list(run.rglob("*.part*"))


def test_a_run_is_drawn(run):
    assert _size(run / "curves.png") == (1080, 380)
    assert [path.name for path in sorted((run / "samples").iterdir())] == [
        f"step_{step:06d}.png" for step in (0, 4, 8, 12)
    ]
    assert _size(run / "samples" / "step_000012.png")[0] == 960
    assert list((run / "tensorboard").glob("events.*"))


def _size(path):
    return cv2.imread(str(path)).shape[1::-1]


def test_a_run_stops_when_the_score_stands_still(data, tmp_path):
    options = replace(TINY, steps=40, evaluate_every=2, patience=2, learning_rate=1e-12, average_steps=1)
    train(data, tmp_path / "run", options)
    assert 4 <= int(_log(tmp_path / "run")[-1][0]) < 40


def test_a_teacher_looks_at_every_image_once_and_progress_is_told(data, tmp_path):
    told = []
    options = replace(TINY, steps=3, teacher="roadlift-1m")
    train(data, tmp_path / "run", options, progress=lambda *numbers: told.append(numbers))
    assert told == [(1, 3), (2, 3), (3, 3)]
    targets = sorted((tmp_path / "run" / "targets").iterdir())
    assert [path.name for path in targets] == ["000000.npy", "000001.npy"]
    target = np.load(targets[0])
    assert target.shape == (160, 160)
    assert len(np.unique(target)) > 20


def test_the_loss_falls_on_one_image(data):
    trainer = _steps_on_one_batch(data)
    losses = [trainer() for _ in range(60)]
    assert np.mean(losses[-5:]) < 0.85 * np.mean(losses[:5])


def _steps_on_one_batch(data):
    from roadlift.train.architectures import architecture
    from roadlift.train.batches import BatchStream

    trainer = Trainer(architecture("unet"), replace(TINY, steps=60))
    images, labels = BatchStream(
        Taught(read_samples(data, "train"), data), np.array([1.0, 0.0]), 2, 64, 0
    ).batch(0)
    return lambda: float(trainer._train_step(images, labels, 0.0))


def test_a_run_killed_at_any_moment_goes_on_with_the_same_data(data, run, tmp_path):
    folder = tmp_path / "killed"
    options = TINY.to_json()
    code = (
        "import sys, json; from roadlift.train.fit import train; from roadlift.train.options import TrainOptions;"
        f"train({str(data)!r}, {str(folder)!r}, TrainOptions(**json.loads({options!r})))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (folder / "weights" / "last.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    train(data, folder, resume=True)
    assert [row[0] for row in _log(folder)] == [row[0] for row in _log(run)]
    assert (folder / "weights" / "best.keras").exists()
    whole, resumed = (RunFolder(path).load() for path in (run, folder))
    assert resumed.step == whole.step == 12
    for ours, theirs in zip(resumed.weights, whole.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-3)


def test_a_resumed_run_keeps_its_options(data, run):
    with pytest.raises(UsageError, match="keeps its options"):
        train(data, run, TINY, resume=True)


def test_a_crop_must_fit_the_stride(data, tmp_path):
    with pytest.raises(UsageError, match="multiple of 16"):
        train(data, tmp_path / "run", replace(TINY, crop=72))


def test_a_loss_that_is_not_finite_stops_with_the_batch_saved(data, tmp_path):
    with pytest.raises(InputError, match=r"failed_batch\.npz"):
        train(data, tmp_path / "run", replace(TINY, learning_rate=1e30, warmup_steps=0, steps=50))
    assert (tmp_path / "run" / "failed_batch.npz").exists()


def test_a_published_run_is_a_model_that_knows_itself(data, run, tmp_path):
    again = {"again": read_samples(data / "dev")}
    texts = Texts(description="tiny", credit="nobody", making="By a test.")
    sheets = tmp_path / "sheets"
    card = publish(
        run, data, tmp_path / "tiny.onnx", texts=texts, elsewhere=again, pictures=sheets, int8=False
    )
    model = load_model(tmp_path / "tiny.onnx")
    assert model.card == card
    assert card.name == "tiny"
    assert card.scores["dev"]["images"] == 1
    assert card.scores["again"] == card.scores["dev"]
    assert card.training["options"]["width"] == 4
    assert card.training["making"] == "By a test."
    assert {path.name for path in (sheets / "again").iterdir()} == {"worst.jpg", "typical.jpg"}
    assert not (tmp_path / "tiny-int8.onnx").exists()
    same = publish(tmp_path / "tiny.onnx", data, tmp_path / "same.onnx", elsewhere=again, int8=False)
    assert same == replace(card, name="same")
    probability = model.predict(np.zeros((1, 32, 48, 3), np.uint8))
    assert probability.shape == (1, 32, 48)


def test_keras_and_file_must_agree(run, tmp_path, data):
    model = build(TINY, pretrained=False)
    model.load_weights(run / "weights" / "best.keras")
    card = publish(run, data, tmp_path / "a.onnx", int8=False)
    export_onnx(model, card, tmp_path / "b.onnx")
    other = build(replace(TINY, seed=9), pretrained=False)
    from roadlift.train.export import _served

    with pytest.raises(ModelError, match="differ by"):
        check_agreement(_served(other), tmp_path / "b.onnx", stride=16)


def test_thresholds_are_chosen_by_intersection_over_union(data):
    (sample,) = read_samples(data / "dev")
    probability = np.where(sample.label == 1, 150, 60).astype(np.uint8)
    high, low = choose_thresholds([probability], [sample])
    assert 60 / 254 < low <= high <= 150 / 254
    assert pixel_scores([probability], [sample], high=high, low=low)["iou"] == 1


@pytest.mark.parametrize(("false", "followed"), [(4, True), (8, False)])
def test_thresholds_are_the_lowest_that_cost_next_to_nothing(false, followed):
    label = np.zeros((20, 100), np.uint8)
    label[:10] = 1
    probability = np.where(label == 1, 150, 0).astype(np.uint8)
    probability[19, :false] = 100
    high, _ = choose_thresholds([probability], [Sample("a", np.zeros((20, 100, 3), np.uint8), label)])
    assert (high <= 100 / 254) == followed


def test_halo_is_measured_against_the_whole_image():
    def mean_of_neighbours(image):
        padded = np.pad(image[..., 0].astype(int), 4, mode="edge")
        return padded[8:, 4:-4].astype(np.uint8)

    image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    errors = measure_halos(mean_of_neighbours, [image, image], (0, 4, 8), stride=4, threshold=0.5, core=32)
    assert [error.largest_step > 0 for error in errors] == [True, False, False]
    whole, alone = image[36:68, 32:64, 0], mean_of_neighbours(image[32:64, 32:64])
    road = whole >= 127
    assert errors[0].flipped_share == ((alone >= 127) != road).sum() / road.sum()
    assert choose_halo(errors) == 4
    with pytest.raises(InputError, match="at least"):
        measure_halos(mean_of_neighbours, [image], (64,), stride=4, threshold=0.5, core=32)
    with pytest.raises(InputError, match="wide enough"):
        choose_halo([HaloError(4, 0.1, 90)])


def test_scenes_are_samples_with_both_labels():
    (sample,) = scene_samples(1, seed=3)
    assert sample.image.shape == (640, 640, 3)
    assert set(np.unique(sample.label)) == {0, 1}
