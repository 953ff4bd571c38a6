"""patchify and unpatchify: the library's arrays, mirrored rests, exact joins, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest

from roadlift.errors import InputError, UsageError
from roadlift.segment import patchify, unpatchify


def test_the_array_of_the_library() -> None:
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 3)).astype(np.uint8)
    patches = patchify(image, (256, 256, 3), step=256)
    assert patches.shape == (2, 2, 1, 256, 256, 3)
    assert np.array_equal(patches[1, 0, 0], image[256:, :256])
    assert np.shares_memory(patches, image)
    assert patches.base is not None
    assert np.array_equal(unpatchify(patches, image.shape), image)


def test_overlap_in_two_dimensions() -> None:
    image = np.arange(16).reshape(4, 4)
    patches = patchify(image, (2, 2), step=1)
    assert patches.shape == (3, 3, 2, 2)
    assert patches[2, 1].tolist() == [[9, 10], [13, 14]]
    assert np.shares_memory(patches, image)
    assert not patches.flags.writeable


def test_a_volume_is_cut_along_all_axes() -> None:
    volume = np.arange(4 * 4 * 4).reshape(4, 4, 4)
    patches = patchify(volume, (2, 2, 2), step=2)
    assert patches.shape == (2, 2, 2, 2, 2, 2)
    assert np.array_equal(unpatchify(patches, volume.shape), volume)
    assert np.array_equal(patchify(volume, 2, 2), patches)


def test_the_rest_is_mirrored_without_repeating_the_edge() -> None:
    patches = patchify(np.array([[1, 2, 3, 4, 5]]), (1, 3), step=3)
    assert patches.reshape(2, 3).tolist() == [[1, 2, 3], [4, 5, 4]]
    assert patchify(np.array([[1, 2]]), (1, 6), 6).ravel().tolist() == [1, 2, 1, 2, 1, 2]
    assert patchify(np.array([[7]]), (2, 3), 1).ravel().tolist() == [7] * 6


def test_views_are_writable_where_patches_lie_side_by_side() -> None:
    image = np.zeros((4, 4), np.uint8)
    patchify(image, 2, 2)[1, 1] = 9
    assert image[3, 3] == 9
    image.flags.writeable = False
    assert not patchify(image, 2, 2).flags.writeable


def test_one_int_means_all_channels() -> None:
    assert patchify(np.zeros((8, 8, 3)), 4, 4).shape == (2, 2, 1, 4, 4, 3)


def test_overlaps_are_averaged() -> None:
    patches = np.array([[[[0, 0, 0]], [[6, 6, 6]]]], np.uint8)  # 1 x 2 patches of 1 x 3
    assert unpatchify(patches, (1, 4), step=(1, 1)).tolist() == [[0, 3, 3, 6]]
    assert unpatchify(patches, (1, 5), step=(1, 2)).tolist() == [[0, 0, 3, 6, 6]]
    tapered = unpatchify(patches.astype(float), (1, 4), step=(1, 1), weights="linear")
    assert tapered == pytest.approx(np.array([[0, 6 * (1 / 3) / (4 / 3), 6 * 1 / (4 / 3), 6]]))
    assert unpatchify(patches == 6, (1, 5), step=(1, 2)).tolist() == [[False, False, False, True, True]]


def test_means_of_large_integers_do_not_overflow() -> None:
    low, high = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    patches = np.array([[[[low, high]], [[high, low]]]], np.int64)
    joined = unpatchify(patches, (1, 3), step=1)
    assert joined.tolist() == [[low, high, low]]
    patches = np.array([[[[low, low]], [[high, high]]]], np.int64)
    assert abs(int(unpatchify(patches, (1, 3), step=1)[0, 1])) <= 1
    patches = np.array([[[[0, 2**64 - 2]], [[2**64 - 1, 5]]]], np.uint64)
    assert 2**64 - 2 <= int(unpatchify(patches, (1, 3), step=1)[0, 1]) <= 2**64 - 1


def test_infinity_and_nan_stay_where_they_are() -> None:
    image = np.float32([[1, np.inf, 2, np.nan, -np.inf, 3]])
    joined = unpatchify(patchify(image, (1, 3), 1), image.shape)
    assert np.array_equal(joined, image, equal_nan=True)


def test_a_slice_of_predictions_is_joined_like_them() -> None:
    predictions = np.random.default_rng(0).random((2, 2, 4, 4, 2)).astype(np.float32)
    joined = unpatchify(predictions[..., 1], (8, 8))
    assert np.array_equal(joined[4:, :4], predictions[1, 0, ..., 1])


def test_the_step_has_to_be_said_only_where_several_fit() -> None:
    image = np.arange(100, dtype=np.uint16).reshape(10, 10)
    patches = patchify(image, 4, 3)
    assert np.array_equal(unpatchify(patches, image.shape), image)  # still the view: known
    assert np.array_equal(unpatchify(patches.copy(), image.shape, step=3), image)
    with pytest.raises(
        UsageError, match=r"fit several steps \(3\.\.4 x 3\.\.4\); give the one used, as step="
    ):
        unpatchify(patches.copy(), image.shape)
    side_by_side = patchify(image, 5, 5).copy()
    assert np.array_equal(unpatchify(side_by_side, image.shape), image)
    one = patchify(image, 16, 1).copy()
    assert np.array_equal(unpatchify(one, image.shape), image)


def test_a_copy_never_passes_for_a_view() -> None:
    """A column of patches, copied: its memory looks like steps of a whole patch."""
    image = np.arange(40, dtype=np.uint8).reshape(10, 4)
    for patches in (patchify(image, 4, 3).copy(), np.stack([patchify(image, 4, 3)] * 2, axis=-1)[..., 0]):
        with pytest.raises(UsageError, match="several steps"):
            unpatchify(patches, image.shape)
    broadcast = np.broadcast_to(np.uint8(1), (3, 1, 4, 4))
    with pytest.raises(UsageError, match="several steps"):
        unpatchify(broadcast, (10, 4))


def test_views_of_flipped_images_are_known() -> None:
    image = np.arange(100, dtype=np.uint16).reshape(10, 10)[::-1, ::-1]
    assert np.array_equal(unpatchify(patchify(image, 4, 2), image.shape), image)


@pytest.mark.parametrize(
    ("image", "patch_size", "step", "error", "message"),
    [
        (np.zeros(5), 2, 1, InputError, "1 axes"),
        (np.zeros((0, 5)), 2, 1, InputError, "none empty"),
        (np.zeros((5, 5)), 0, 1, UsageError, "patch_size is 0"),
        (np.zeros((5, 5)), (2, 2, 3), 1, UsageError, "2 of them"),
        (np.zeros((5, 5)), 2, 0, UsageError, "step is 0"),
        (np.zeros((5, 5)), 2.5, 1, UsageError, "patch_size"),
        (np.zeros((5, 5)), (2, 2.0), 1, UsageError, "patch_size"),
        (np.zeros((5, 5)), 2, 3, UsageError, "larger than the patch"),
        (np.zeros((5, 5, 3)), (2, 2, 4), 1, UsageError, "4 channels, the image 3"),
    ],
)
def test_patchify_refuses(
    image: np.ndarray, patch_size: object, step: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        patchify(image, patch_size, step)


@pytest.mark.parametrize(
    ("shape", "image_shape", "options", "error", "message"),
    [
        ((2, 2, 4), (8, 8), {}, InputError, "4 or 6 axes"),
        ((0, 2, 4, 4), (8, 8), {}, InputError, "none empty"),
        ((2, 2, 4, 4), (8, 8, 3), {}, UsageError, "2 positive lengths"),
        ((2, 2, 4, 4), (8, 0), {}, UsageError, "2 positive lengths"),
        ((2, 2, 4, 4), (8, 8), {"weights": "cosine"}, UsageError, "uniform, linear, hann"),
        ((2, 2, 4, 4), (9, 8), {}, UsageError, "fit no step"),
        ((2, 1, 4, 4), (4, 4), {}, UsageError, "fit no step"),
        ((1, 1, 4, 4), (5, 4), {}, UsageError, "fit no step"),
        ((3, 3, 4, 4), (10, 10), {"step": 2}, UsageError, r"step 2 gives \(4, 4\)"),
        ((2, 2, 4, 4), (12, 12), {"step": 5}, UsageError, "larger than the patch"),
    ],
)
def test_unpatchify_refuses(
    shape: tuple[int, ...],
    image_shape: tuple[int, ...],
    options: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        unpatchify(np.zeros(shape), image_shape, **options)


def test_what_has_no_mean_is_refused_only_where_patches_overlap() -> None:
    image = np.arange(16, dtype=complex).reshape(4, 4)
    assert np.array_equal(unpatchify(patchify(image, 2, 2), image.shape), image)
    with pytest.raises(InputError, match="complex128 have no mean"):
        unpatchify(patchify(image, 2, 1), image.shape)
