"""Runs a network: OpenVINO (default) or ONNX Runtime behind one small protocol, uint8 in and uint8 out.

Each tile is one request of batch size 1 that runs on one thread, and as many requests run at once as there
are threads. So neither the batch size nor the number of threads can change a result, and the machine is
still full.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from roadlift.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from roadlift.model.card import ModelCard

PROBE_PIXELS: Final = 64
PROBE_SECONDS: Final = 10.0
"""Longest time that the probe tile may take; a road network needs some milliseconds."""

UInt8 = NDArray[np.uint8]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Tensor:
    """Name, element type and number of dimensions of a network's input or output."""

    name: str
    dtype: str
    rank: int


@dataclass(frozen=True)
class Signature:
    """All inputs and outputs of a network."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Runtime(Protocol):
    """What a runtime must be able to do.

    Attributes:
        name: ``openvino`` or ``onnxruntime``.
        device: ``cpu`` or ``gpu``.
        precision: Arithmetic of the network, ``f32``, ``bf16`` or ``int8`` (what is not quantised then runs in the
            quickest float).
        threads: Tiles that are computed at the same time.
    """

    name: str
    device: str
    precision: str
    threads: int

    def signature(self) -> Signature:
        """Describe the inputs and outputs of the network."""
        ...

    def probe(self, image: Float32) -> Float32:
        """Plain network output (n, 1, rows, cols) for float32 input (n, 3, rows, cols) in 0..1."""
        ...

    def prepare(self, shape: tuple[int, int]) -> None:
        """Make ready for tiles of (rows, cols); without it the first of them waits for that."""
        ...

    def rest(self) -> None:
        """Give back the memory of what was made ready; it is made again when it is needed."""
        ...

    def run(self, tiles: Iterable[UInt8]) -> Iterator[UInt8]:
        """Map uint8 tiles (rows, cols, 3) to uint8 (rows, cols), in order, a bounded number in flight."""
        ...


@dataclass(frozen=True)
class Model:
    """A network that is ready to run, with its card.

    Attributes:
        card: What the model expects and how good it is.
        runtime: What computes it.

    Example:
        >>> model = load_model("roadlift-1m")            # doctest: +SKIP
        >>> model.predict(np.zeros((1, 256, 256, 3), np.uint8)).shape  # doctest: +SKIP
        (1, 256, 256)
    """

    card: ModelCard
    runtime: Runtime

    def predict(self, batch: UInt8) -> UInt8:
        """Road probability of each pixel.

        Args:
            batch: uint8 (n, rows, cols, 3), RGB, rows and cols multiples of ``card.stride``.

        Returns:
            uint8 (n, rows, cols): 0..254, the probability times 254, rounded.

        Raises:
            InputError: When the batch has another shape or type.
            ModelError: When the network fails.
        """
        return next(self.predict_many([batch]))

    def predict_many(self, batches: Iterable[UInt8]) -> Generator[UInt8, None, None]:
        """Like :meth:`predict` for a stream of batches; the next ones are computed while one is being used.

        Batches are taken from the iterable only as far as the runtime can keep busy, so memory stays bounded.

        Args:
            batches: Arrays as in :meth:`predict`; their sizes may differ.

        Yields:
            One uint8 (n, rows, cols) for each batch, in order.

        Raises:
            InputError: When a batch has another shape or type.
            ModelError: When the network fails.
        """
        sizes: deque[int] = deque()

        def tiles() -> Iterator[UInt8]:
            for batch in batches:
                self._check(batch)
                sizes.append(len(batch))
                yield from batch

        done: list[UInt8] = []
        for probability in self.runtime.run(tiles()):
            done.append(probability)
            if len(done) == sizes[0]:
                sizes.popleft()
                yield np.stack(done)
                done = []

    def _check(self, batch: UInt8) -> None:
        stride = self.card.stride
        if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[-1] != 3 or 0 in batch.shape:
            raise InputError(
                f"the network takes uint8 (n, rows, cols, 3), found {batch.dtype} {batch.shape}; "
                "scale the image with roadlift.imagery.Stretch first"
            )
        if batch.shape[1] % stride or batch.shape[2] % stride:
            raise InputError(
                f"rows and cols must be multiples of {stride}, found {batch.shape[1:3]}; "
                "pad the image or use roadlift.predict"
            )


def available_threads() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_fits(runtime: Runtime, *, stride: int, source: str) -> None:
    """Hold a network against the contract: tensors as promised, probabilities for a probe tile.

    Args:
        runtime: A runtime that has just loaded the graph.
        stride: Multiple of which the input size must be, from the card.
        source: How messages call the file.

    Raises:
        ModelError: When the number, rank or type of tensors, or the size or range of the output is wrong.
    """
    signature = runtime.signature()
    if len(signature.inputs) != 1 or len(signature.outputs) != 1:
        raise ModelError(
            f"{source} has {len(signature.inputs)} inputs and {len(signature.outputs)} outputs; "
            "exactly one each is allowed"
        )
    for role, tensor in (("input", signature.inputs[0]), ("output", signature.outputs[0])):
        if not tensor.name or tensor.rank != 4 or tensor.dtype != "float32":
            raise ModelError(
                f"the {role} {tensor.name!r} of {source} is {tensor.dtype} with {tensor.rank} dimensions; "
                "float32 with 4 dimensions (n, channels, rows, cols) and a name are expected"
            )
    image = _probe_image(stride)
    _check_output(runtime.probe(image), image, source)


def too_slow() -> ModelError:
    """Return the error of a network that does not finish the probe tile."""
    return ModelError(
        f"the network did not finish a tile of {PROBE_PIXELS} x {PROBE_PIXELS} pixels within {PROBE_SECONDS:g} s; "
        "a road network takes some milliseconds"
    )


def probe_shape(stride: int) -> tuple[int, int]:
    """Return (rows, cols) of the probe tile."""
    size = -(-PROBE_PIXELS // stride) * stride
    return size, size


def _probe_image(stride: int) -> Float32:
    """Seeded noise of uint8 steps, (1, 3, size, size); the left quarter black, the next one white."""
    shape = probe_shape(stride)
    size = shape[1]
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, *shape))
    pixels[..., : size // 4] = 0
    pixels[..., size // 4 : size // 2] = 255
    return (pixels / np.float32(255)).astype(np.float32)


def _check_output(output: Float32, image: Float32, source: str) -> None:
    expected = (1, 1, *image.shape[2:])
    if output.shape != expected:
        raise ModelError(f"{source} turns {image.shape} into {output.shape}; {expected} is expected")
    if not np.isfinite(output).all():
        raise ModelError(
            f"{source} gives NaN or infinite values on a probe image; "
            "its weights are broken, train or get it again"
        )
    if output.min() < 0 or output.max() > 1:
        raise ModelError(
            f"{source} gives values from {output.min():.3g} to {output.max():.3g}; "
            "probabilities in 0..1 are expected, put the sigmoid inside the graph"
        )


def first_line(error: Exception) -> str:
    """Return the last line with text of a runtime's error: there it says what went wrong; links say less."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if "https://" not in line] or lines
    return lines[-1][:300] if lines else type(error).__name__
