import numpy as np
import pytest

from roadlift.errors import InputError, UsageError
from roadlift.train.options import TrainOptions
from roadlift.train.record import Entry
from roadlift.train.run import Checkpoint, RunFolder


def test_options_survive_the_folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    options = TrainOptions(steps=300, seed=4)
    folder.create(options)
    assert folder.options() == options
    with pytest.raises(UsageError, match="--resume"):
        folder.create(options)


@pytest.mark.parametrize("text", ["{}", "[1]", "no json"])
def test_a_broken_configuration_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        RunFolder(tmp_path).options()


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"dice_weight": 1.5},
        {"warmup_steps": 5000},
        {"batch_size": 0},
        {"scene_share": -0.1},
        {"schedule": "steps"},
        {"learning_rate": -1.0},
        {"patience": -1},
    ],
)
def test_impossible_options_are_refused(change):
    with pytest.raises(UsageError, match=next(iter(change))):
        TrainOptions(**change)


def test_a_checkpoint_comes_back_whole(tmp_path):
    folder = RunFolder(tmp_path)
    folder.create(TrainOptions())
    arrays = [np.arange(6.0).reshape(2, 3), np.array(7, np.int64)]
    folder.save(Checkpoint(40, 0.5, 30, 1.25, arrays, arrays[:1], arrays[::-1]))
    state = folder.load()
    assert (state.step, state.best_iou, state.best_step, state.minutes) == (40, 0.5, 30, 1.25)
    np.testing.assert_array_equal(state.weights[0], arrays[0])
    assert [array.dtype for array in state.optimizer] == [np.int64, np.float64]
    assert len(state.average) == 1


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(InputError, match="no run that can go on"):
        RunFolder(tmp_path).load()


def test_the_log_is_trimmed_to_the_step_that_is_gone_on_from(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.log == tmp_path / "log.csv"
    for step in (10, 20, 30):
        folder.append(Entry(step, 0, 0, 0, 0, 0, 0, 0))
    folder.trim_log(20)
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "10", "20"]
