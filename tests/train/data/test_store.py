import gc
import os
from pathlib import Path

import numpy as np
import pytest

from roadlift.errors import InputError, LimitError, OutputError
from roadlift.train.batches import BatchStream
from roadlift.train.data import Sample, Samples, read_samples

PIXELS = 40 * 50 * 4


@pytest.fixture
def data(tmp_path, write_pair, picture):
    for number in range(4):
        mask = np.zeros((40, 50), np.uint8)
        mask[number * 5 : number * 5 + 4] = 255
        write_pair(tmp_path / "data", f"{number}", picture(seed=number), mask)
    return tmp_path / "data"


def _same(left, right):
    return len(left) == len(right) and all(
        a.name == b.name and np.array_equal(a.image, b.image) and np.array_equal(a.label, b.label)
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize(("memory", "kept"), [(10**9, 4), (2 * PIXELS, 2), (PIXELS, 1), (1, 0), (0, 0)])
def test_what_does_not_fit_into_memory_lies_in_files_and_is_the_same(data, memory, kept):
    samples = read_samples(data, memory=memory)
    assert samples.in_memory == kept
    assert _same(samples, read_samples(data))


def test_batches_do_not_depend_on_where_samples_lie(data):
    weights = np.full(4, 0.25)
    here, there = (
        BatchStream(read_samples(data, memory=memory), weights, 3, 32, seed=1) for memory in (10**9, 0)
    )
    for step in range(4):
        for first, second in zip(here.batch(step), there.batch(step), strict=True):
            np.testing.assert_array_equal(first, second)


def test_a_cache_is_used_again_and_read_anew_when_a_file_changes(data, tmp_path, write_pair, picture):
    cache = tmp_path / "cache"
    read_samples(data, memory=0, cache=cache)
    before = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert _same(read_samples(data, memory=0, cache=cache), read_samples(data))
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == before
    write_pair(data, "0", picture(seed=9), np.zeros((40, 50), np.uint8))
    os.utime(data / "images" / "0.png", ns=(1, 1))
    assert _same(read_samples(data, memory=0, cache=cache), read_samples(data))
    read_samples(data, memory=0, cache=cache, ignore_rim=1)
    assert len(list(cache.glob("*.json"))) == 4 + 1 + 4


def test_a_cache_that_was_left_half_written_is_completed(data, tmp_path):
    cache = tmp_path / "cache"
    read_samples(data, memory=0, cache=cache)
    for path in sorted(cache.iterdir())[::2]:
        path.unlink()
    for index in cache.glob("*.json"):
        index.unlink()
    assert _same(read_samples(data, memory=0, cache=cache), read_samples(data))


def test_a_temporary_cache_goes_with_its_samples(data):
    samples = read_samples(data, memory=0)
    together = samples + Samples([samples[0]])
    folder = Path(samples._items[0].image).parent
    del samples
    gc.collect()
    assert folder.is_dir()
    assert together[4].name == together[0].name == "0"
    del together
    gc.collect()
    assert not folder.exists()


def test_samples_are_a_sequence(data):
    samples = read_samples(data, memory=2 * PIXELS)
    extra = Sample("extra", np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))
    assert [sample.name for sample in samples[1:]] == ["1", "2", "3"]
    assert [sample.name for sample in samples + Samples([extra])] == ["0", "1", "2", "3", "extra"]
    assert [sample.name for sample in Samples([extra]) + samples[:1]] == ["extra", "0"]
    with pytest.raises(IndexError):
        samples[4]


def test_progress_is_told(data):
    told = []
    read_samples(data, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_labels_without_image_give_no_sample(data):
    (data / "images" / "2.png").unlink()
    assert [sample.name for sample in read_samples(data, memory=0)] == ["0", "1", "3"]


def test_a_full_disk_is_told_before_it_is_full(data, monkeypatch):
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(LimitError, match="only 0 MB free"):
        read_samples(data, memory=0)


def test_a_cache_that_cannot_be_made_is_told(data, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        read_samples(data, memory=0, cache=tmp_path / "file" / "cache")


def test_broken_images_are_named(data):
    (data / "images" / "3.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"images/3\.png"):
        read_samples(data, memory=0)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("{}/sat/a.tiff", "{}/map/a.tif"),
        ("tiff/{}/a.tiff", "tiff/{}_labels/a.tif"),
        ("{}/a_sat.jpg", "{}/a_mask.png"),
        ("{}/images/a.png", "{}/labels/a.tif"),
    ],
)
def test_the_splits_of_every_layout_of_masks_are_read(tmp_path, write_raster, picture, images, labels):
    for split, rows in (("train", 4), ("val", 8)):
        mask = np.zeros((40, 50), np.uint8)
        mask[:rows] = 255
        write_raster(tmp_path / images.format(split), picture())
        write_raster(tmp_path / labels.format(split), mask)
    shares = [
        float((read_samples(tmp_path, split, ground_resolution=None)[0].label == 1).mean())
        for split in ("train", "dev")
    ]
    assert shares == [0.1, 0.2]
