"""The memory promise: what is given up first, when it is refused, and what machine and container grant."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadlift.errors import LimitError, UsageError
from roadlift.segment import Pixelwise, PredictOptions, granted_memory, make_plan, parse_bytes

IMAGE = Pixelwise((40_000, 40_000), (40_000, 40_000), (512, 512), 3, warped=False)


def _plan(network, image=IMAGE, memory=2 * 10**9, threads=2, *, fixed=False, **options):
    return make_plan(
        image, network.card, PredictOptions(**options), max_memory=memory, threads=threads, fixed_tile=fixed
    )


def test_with_enough_memory_nothing_is_given_up(network):
    plan = _plan(network)
    assert (plan.tile_size, plan.halo, plan.threads, plan.batch_size, plan.notes) == (1536, 8, 2, 1, ())
    assert plan.expected_memory <= 1.2 * 10**9
    assert plan.drawing == 2
    assert _plan(network, memory=10**9).drawing == 1
    assert plan.core == (1488, 1488)
    assert "1488 x 1488 px" in plan.render()


@given(st.integers(300, 3000), st.integers(1, 16), st.integers(1, 8), st.sampled_from([256, 1024, 2048]))
def test_a_plan_keeps_to_what_is_allowed_or_says_what_it_needs(network, megabytes, threads, batch, tile):
    memory = megabytes * 10**6
    try:
        plan = _plan(network, memory=memory, threads=threads, batch_size=batch, tile_size=tile)
    except LimitError as error:
        least = int(str(error).split("at least ")[1].split("MB")[0])
        assert least > megabytes
        assert _plan(network, memory=least * 10**6, threads=threads, batch_size=batch, tile_size=tile)
    else:
        assert plan.expected_memory <= memory


def test_the_result_is_the_last_thing_to_change(network):
    sizes = [
        _plan(network, memory=memory * 10**6, threads=8, tile_size=2048) for memory in range(800, 1860, 20)
    ]
    assert [plan.tile_size for plan in sizes] == sorted(plan.tile_size for plan in sizes)
    assert sizes[-1].tile_size == 2048
    assert 1 < sizes[-1].threads < 8
    smaller = sizes[0]
    assert smaller.tile_size < 2048
    assert "instead of 2048 px for want of memory" in smaller.notes[0]
    with pytest.raises(LimitError, match="with this --tile-size"):
        _plan(network, memory=smaller.expected_memory, threads=8, fixed=True, tile_size=2048)


def test_whole_rows_want_a_large_cache_and_say_so(network):
    rows = replace(IMAGE, block=(8, 40_000))
    wide = _plan(network, rows, memory=8 * 10**9)
    assert wide.cache >= 1024 * 40_000 * 3
    tight = _plan(network, rows, memory=1050 * 10**6)
    assert tight.cache < wide.cache
    assert "decoded more than once" in tight.notes[0]


def test_floats_and_wide_pixels_need_more(network):
    base = _plan(network).expected_memory
    wide = _plan(network, replace(IMAGE, pixel_bytes=16, warped=True), memory=4 * 10**9).expected_memory
    floats = make_plan(
        IMAGE, network.card, PredictOptions(), max_memory=4 * 10**9, threads=2, fixed_tile=False, int8=False
    ).expected_memory
    assert min(wide, floats) > base


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2e9), ("1.5 G", 1.5e9), ("512MiB", 2**29), ("800m", 8e8), ("1GiB", 2**30), ("12345", 12345)],
)
def test_amounts_of_memory(text, size):
    assert parse_bytes(text.replace("m", "M")) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "2 PB", "lots"])
def test_no_amounts_of_memory(text):
    with pytest.raises(UsageError, match="for example 2GB"):
        parse_bytes(text)


def _machine(root, *, total_kb=8_000_000, groups="0::/job/part\n", limits=()):
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal:       {total_kb} kB\n")
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in limits:
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return granted_memory(root)


def test_the_machine_grants_what_it_has(tmp_path):
    assert _machine(tmp_path) == 8_000_000 * 1024


@pytest.mark.parametrize(
    ("groups", "name"),
    [
        ("0::/job/part\n", "job/part/memory.max"),
        ("0::/job/part\n", "job/memory.max"),
        ("0::/\n", "memory.max"),
        ("5:cpu,memory:/job\n2:cpu:/x\n", "memory/job/memory.limit_in_bytes"),
    ],
)
def test_a_container_grants_less(tmp_path, groups, name):
    assert _machine(tmp_path, groups=groups, limits=[(name, "1000000\n")]) == 1_000_000


def test_a_container_without_limit(tmp_path):
    limits = [("job/part/memory.max", "max\n"), ("job/memory.max", "9223372036854771712\n")]
    assert _machine(tmp_path, limits=limits) == 8_000_000 * 1024
