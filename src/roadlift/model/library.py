"""Finds models: the built-in ones inside the package, by name, or any ONNX file with a card, by path."""

from __future__ import annotations

import difflib
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from roadlift.errors import ModelError, UsageError
from roadlift.model._onnx import summarise
from roadlift.model._onnxruntime import OnnxRuntime
from roadlift.model._openvino import OpenVinoRuntime, check_proportions
from roadlift.model.card import ModelCard, card_of, read_model_bytes
from roadlift.model.processor import has_int8_arithmetic
from roadlift.model.runtime import Model, available_threads, check_fits

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from roadlift.model.runtime import Runtime

DEFAULT_MODEL: Final = "roadlift-1m"
RUNTIMES: Final = ("openvino", "onnxruntime")
DEVICES: Final = ("cpu", "gpu")
PRECISIONS: Final = ("auto", "f32", "bf16", "int8")
INT8_SUFFIX: Final = "-int8"


def list_models() -> tuple[ModelCard, ...]:
    """Cards of the models inside the package, sorted by name; needs no network and starts no runtime.

    Example:
        >>> all(card.ground_resolution_m > 0 for card in list_models())
        True
    """
    return tuple(card_of(entry.read_bytes(), source=name) for name, entry in sorted(_built_in().items()))


def find_card(name_or_path: str | Path) -> ModelCard:
    """Read the card of a built-in model or of an ONNX file, without starting a runtime.

    Raises:
        UsageError: When there is no such model.
        ModelError: When the file is not a safe ONNX model with a fitting card.
    """
    data, source = model_bytes(name_or_path)
    return card_of(data, source=source)


def find_exact_card(name_or_path: str | Path, sha256: str) -> ModelCard | None:
    """Read the card of the very network with this hash, be it a model's float or int8 file; None where it is not here.

    Example:
        >>> find_exact_card("roadlift-1m", "0" * 64) is None
        True
    """
    try:
        data = [model_bytes(name_or_path)[0]]
    except (UsageError, ModelError):
        return None
    quantised = _quantised_file(name_or_path)
    if not _is_path(name_or_path) and quantised.is_file():
        data.append(quantised.read_bytes())
    cards = (card_of(each, source=str(name_or_path)) for each in data)
    return next((card for card in cards if card.sha256 == sha256), None)


def load_model(
    name_or_path: str | Path = DEFAULT_MODEL,
    *,
    runtime: str = "openvino",
    device: str = "cpu",
    threads: int | None = None,
    precision: str = "auto",
) -> Model:
    """Load a network, check it against its card and the contract, and make it ready to run.

    A file of one's own is also tried on a probe tile; the built-in ones, known by their hash, have passed that in the tests.

    Args:
        name_or_path: Name of a built-in model, or path of an ``.onnx`` file with a roadlift card.
        runtime: ``openvino`` or ``onnxruntime``.
        device: ``cpu`` or ``gpu``.
        threads: Tiles computed at the same time; None means one for each processor.
        precision: Arithmetic, one of ``PRECISIONS``. ``auto`` takes the quickest that the processor has: for a
            built-in model int8 (where it ships an int8 file), then bf16, then f32. An ``.onnx`` file is int8 or
            not, whatever the processor.

    Returns:
        The model; its tile-shape programs are compiled at first use.

    Raises:
        UsageError: When there is no such model, runtime or device, or an option is not allowed.
        ModelError: When the file is broken, unsafe, changed, without a card, or does not give probabilities.

    Example:
        >>> load_model("no-such-model")
        Traceback (most recent call last):
        roadlift.errors.UsageError: no model 'no-such-model'; ...
    """
    data, source = _precise_bytes(name_or_path, precision=precision, device=device)
    card = card_of(data, source=source)
    if precision in PRECISIONS:
        precision = _fitting_precision(precision, quantised=is_quantised(data), source=source)
    if runtime == "onnxruntime":
        check_proportions(data, stride=card.stride)
    network = _start(runtime, data, device=device, threads=threads, precision=precision)
    if _is_path(name_or_path):
        check_fits(network, stride=card.stride, source=source)
    return Model(card, network)


def _start(name: str, graph: bytes, *, device: str, threads: int | None, precision: str) -> Runtime:
    """Create a runtime by name for a model that has passed the checks of :mod:`roadlift.model.card`.

    Args:
        name: One of ``RUNTIMES``.
        graph: The ONNX file's bytes.
        device: One of ``DEVICES``.
        threads: Tiles at the same time; None means one for each processor the process may use.
        precision: One of ``PRECISIONS``; ``int8`` for a quantised graph and no other.

    Raises:
        UsageError: When an option is not known, or the runtime or device is not there.
        ModelError: When the runtime refuses the graph.
    """
    for option, value, allowed in (
        ("runtime", name, RUNTIMES),
        ("device", device, DEVICES),
        ("precision", precision, PRECISIONS),
    ):
        if value not in allowed:
            raise UsageError(f"{option} is {value!r}; allowed: {', '.join(allowed)}")
    if threads is not None and not 1 <= threads <= 1024:
        raise UsageError(f"threads is {threads}; allowed: 1 to 1024, or None for all processors")
    chosen = OpenVinoRuntime if name == "openvino" else OnnxRuntime
    return chosen(graph, device=device, threads=threads or available_threads(), precision=precision)


def model_bytes(name_or_path: str | Path) -> tuple[bytes, str]:
    """Bytes of a model file and what messages call it."""
    if _is_path(name_or_path):
        return read_model_bytes(name_or_path), Path(name_or_path).name
    name = str(name_or_path)
    known = _built_in()
    if name not in known:
        raise UsageError(f"no model {name!r}; {_suggest(name, sorted(known))}")
    return known[name].read_bytes(), name


def is_quantised(graph: bytes) -> bool:
    """Whether an ONNX file holds an int8 network."""
    return "DequantizeLinear" in summarise(graph).operators


def expects_int8(name_or_path: str | Path, *, device: str = "cpu") -> bool:
    """Whether :func:`load_model` would choose 8-bit arithmetic for a model here.

    Raises:
        UsageError: When there is no such model.
        ModelError: When the file is not a safe ONNX model.
    """
    return is_quantised(_precise_bytes(name_or_path, precision="auto", device=device)[0])


def _precise_bytes(name_or_path: str | Path, *, precision: str, device: str) -> tuple[bytes, str]:
    """Bytes of the file that fits the precision: a built-in model may have an int8 file beside its float one."""
    data, source = model_bytes(name_or_path)
    quick = precision == "int8" or (precision == "auto" and device == "cpu" and has_int8_arithmetic())
    if _is_path(name_or_path) or not quick:
        return data, source
    quantised = _quantised_file(name_or_path)
    return (quantised.read_bytes(), f"{source} (int8)") if quantised.is_file() else (data, source)


def _quantised_file(name: str | Path) -> Traversable:
    """Where a built-in model's int8 file is, if there is one."""
    return files("roadlift.model") / "weights" / f"{name}{INT8_SUFFIX}.onnx"


def _fitting_precision(precision: str, *, quantised: bool, source: str) -> str:
    """Precision to start the runtime with: a quantised graph computes in int8, and no other graph can."""
    if quantised and precision in ("f32", "bf16"):
        raise UsageError(
            f"{source} is an int8 network and cannot compute in {precision}; use precision 'auto' or 'int8', "
            "or the float file of the same model"
        )
    if precision == "int8" and not quantised:
        raise UsageError(
            f"{source} is not an int8 network; `roadlift models export` writes an int8 file beside the float one"
        )
    return "int8" if quantised else precision


def _is_path(name_or_path: str | Path) -> bool:
    if isinstance(name_or_path, Path):
        return True
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    return Path(name_or_path).suffix.lower() in _MODEL_SUFFIXES or any(
        mark in name_or_path for mark in separators
    )


# Suffixes that mark a path; only .onnx is loaded, the others get a message that says so.
_MODEL_SUFFIXES: Final = frozenset(
    {".onnx", ".h5", ".keras", ".pt", ".pth", ".pb", ".tflite", ".xml", ".pkl", ".ckpt"}
)


def _suggest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    names = ", ".join(known) or "none"
    return f"{guess}built-in models: {names}; or give the path of an .onnx file with a roadlift card"


def _built_in() -> dict[str, Traversable]:
    folder = files("roadlift.model") / "weights"
    if not folder.is_dir():
        return {}
    names = {
        entry.name.removesuffix(".onnx"): entry for entry in folder.iterdir() if entry.name.endswith(".onnx")
    }
    return {name: entry for name, entry in names.items() if not name.endswith(INT8_SUFFIX)}
