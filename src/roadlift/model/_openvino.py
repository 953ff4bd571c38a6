"""OpenVINO behind the runtime protocol; the only module that imports it, and without its telemetry."""

from __future__ import annotations

import math
import sys
import threading
from collections import OrderedDict, deque
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from roadlift.errors import ModelError, UsageError
from roadlift.model import patience, runtime
from roadlift.model.runtime import Signature, Tensor, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from roadlift.model.runtime import Float32, UInt8

MAX_COMPILED_SHAPES: Final = 3
MIN_TENSOR_ELEMENTS: Final = 2**24
MAX_TENSOR_GROWTH: Final = 512

Result = TypeVar("Result")

# OpenVINO


_IMPORT_LOCK = threading.Lock()
_TELEMETRY: Final = "openvino_telemetry"


def _import() -> Any:
    """Import OpenVINO without its telemetry, which reports each import over the network.

    Its own fallback for a machine without the telemetry package is used: the package is hidden during the
    import.
    """
    with _IMPORT_LOCK:
        telemetry = sys.modules.get(_TELEMETRY)
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[_TELEMETRY]
            if telemetry is not None:
                sys.modules[_TELEMETRY] = telemetry
    return openvino


class OpenVinoRuntime:
    """OpenVINO: uint8 conversion, layout and rounding are compiled into one program for each tile shape."""

    name = "openvino"

    def __init__(self, graph: bytes, *, device: str, threads: int, precision: str) -> None:
        self._ov = _import()
        self._core = self._ov.Core()
        self._target = _target(self._core.available_devices, device)
        self.device = device
        self.threads = threads
        self.precision = self._choose_precision(precision)
        self._float_precision = self._choose_precision("auto") if precision == "int8" else self.precision
        self._lock = threading.Lock()
        self._programs: OrderedDict[tuple[int, int], _Program] = OrderedDict()
        try:
            self._network = self._core.read_model(graph)
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot read the network: {first_line(error)}") from error

    def _choose_precision(self, wanted: str) -> str:
        if wanted == "int8":
            return wanted
        has_bf16 = "BF16" in self._core.get_property(self._target, "OPTIMIZATION_CAPABILITIES")
        if wanted == "bf16" and not has_bf16:
            raise UsageError("this processor has no bfloat16 arithmetic; use precision 'auto' or 'f32'")
        return "bf16" if has_bf16 and wanted != "f32" else "f32"

    def signature(self) -> Signature:
        """Describe the inputs and outputs of the network."""

        def describe(port: Any) -> Tensor:
            rank = port.partial_shape.rank
            dtype = np.dtype(port.element_type.to_dtype()).name
            return Tensor(min(port.names, default=""), dtype, rank.get_length() if rank.is_static else -1)

        network = self._network
        return Signature(tuple(map(describe, network.inputs)), tuple(map(describe, network.outputs)))

    def probe(self, image: Float32) -> Float32:
        """Plain network output for a float32 input, in the precision of this runtime."""

        def compute() -> Float32:
            network = self._reshaped(image.shape)
            program = self._core.compile_model(network, self._target, self._settings(streams=1))
            request = program.create_infer_request()
            request.start_async([image])
            if not request.wait_for(round(1000 * runtime.PROBE_SECONDS)):
                request.cancel()
                raise runtime.too_slow()
            return np.array(request.get_output_tensor(0).data)

        return self._guarded(compute)

    def prepare(self, shape: tuple[int, int]) -> None:
        """Compile the program for tiles of (rows, cols)."""
        self._program(shape)

    def rest(self) -> None:
        """Drop the compiled programs."""
        with self._lock:
            self._programs.clear()

    def run(self, tiles: Iterable[UInt8]) -> Iterator[UInt8]:
        """Map tiles in order; one more request than threads is in flight."""
        for shape, group in groupby(tiles, key=lambda tile: (tile.shape[0], tile.shape[1])):
            yield from self._run_shape(self._program(shape), group)

    def _run_shape(self, program: _Program, tiles: Iterator[UInt8]) -> Iterator[UInt8]:
        running: deque[Any] = deque()
        try:
            for tile in tiles:
                if len(running) > self.threads:
                    yield self._finish(program, running)
                request = program.take()
                running.append(request)
                self._begin(request, tile)
            while running:
                yield self._finish(program, running)
        finally:
            while running:
                request = running.popleft()
                request.cancel()

    def _begin(self, request: Any, tile: UInt8) -> None:
        request.get_input_tensor().data[0] = tile
        self._guarded(request.start_async)

    def _finish(self, program: _Program, running: deque[Any]) -> UInt8:
        request = running[0]
        if not self._guarded(lambda: request.wait_for(round(1000 * patience.TILE_SECONDS))):
            raise patience.hangs(program.shape)
        probability: UInt8 = request.get_output_tensor().data.reshape(program.shape).copy()
        program.give_back(running.popleft())
        return probability

    def _program(self, shape: tuple[int, int]) -> _Program:
        with self._lock:
            if shape not in self._programs:
                self._programs[shape] = self._guarded(lambda: self._compile(shape))
                if len(self._programs) > MAX_COMPILED_SHAPES:
                    self._programs.popitem(last=False)
            self._programs.move_to_end(shape)
            return self._programs[shape]

    def _compile(self, shape: tuple[int, int]) -> _Program:
        ov = self._ov
        network = self._reshaped((1, 3, *shape))
        steps = ov.preprocess.PrePostProcessor(network)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
        steps.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
        steps.output().postprocess().custom(self._to_steps)
        steps.output().tensor().set_element_type(ov.Type.u8)
        program = self._core.compile_model(steps.build(), self._target, self._settings(streams=self.threads))
        return _Program(shape, program.create_infer_request)

    def check_shapes(self, shape: tuple[int, ...]) -> None:
        """Refuse a network whose tensors are out of proportion to an input of ``shape``."""
        self._guarded(lambda: self._reshaped(shape))

    def _reshaped(self, shape: tuple[int, ...]) -> Any:
        """Return the network for one input shape; all shapes must follow from it and stay in proportion."""
        network = self._network.clone()
        network.reshape(list(shape))
        limit = max(MIN_TENSOR_ELEMENTS, MAX_TENSOR_GROWTH * math.prod(shape))
        for node in network.get_ordered_ops():
            if node.get_type_name() != "Constant":
                for port in node.outputs():
                    _check_growth(port.partial_shape, limit, node.get_friendly_name())
        return network

    def _to_steps(self, probability: Any) -> Any:
        """Graph nodes for round(p * 254), half to even as NumPy does."""
        operators = self._ov.opset15
        scaled = operators.multiply(probability, operators.constant(254.0, dtype=np.float32))
        return operators.round(scaled, "half_to_even").output(0)

    def _settings(self, *, streams: int) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": self._float_precision,
        }
        if self.device == "cpu":
            pinning = {"ENABLE_CPU_PINNING": False, "ENABLE_HYPER_THREADING": True}
            settings |= pinning | {"NUM_STREAMS": str(streams), "INFERENCE_NUM_THREADS": streams}
        return settings

    def _guarded(self, compute: Callable[[], Result]) -> Result:
        try:
            return compute()
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot run the network: {first_line(error)}") from error


def check_proportions(graph: bytes, *, stride: int) -> None:
    """Refuse a network that asks for tensors out of proportion, for a runtime that would try to make room for them.

    Args:
        graph: The ONNX file's bytes.
        stride: Multiple of which the input size must be.

    Raises:
        ModelError: A tensor is too large, or the network cannot be read.
    """
    network = OpenVinoRuntime(graph, device="cpu", threads=1, precision="f32")
    network.check_shapes((1, 3, *runtime.probe_shape(stride)))


class _Program:
    """A network compiled for one tile shape, with the requests that are free at the moment."""

    def __init__(self, shape: tuple[int, int], create: Callable[[], Any]) -> None:
        self.shape = shape
        self._create = create
        self._free: deque[Any] = deque()

    def take(self) -> Any:
        try:
            return self._free.pop()
        except IndexError:
            return self._create()

    def give_back(self, request: Any) -> None:
        self._free.append(request)


def _check_growth(shape: Any, limit: int, node: str) -> None:
    if not shape.is_static:
        raise ModelError(
            f"the shape at {node!r} depends on pixel values; all shapes must follow from the input's size"
        )
    elements = math.prod(shape.to_shape())
    if elements > limit:
        raise ModelError(
            f"the network asks for {elements} elements at {node!r}; "
            f"at most {limit} are allowed for this input"
        )


def _target(available: list[str], device: str) -> str:
    for name in available:
        if name.split(".")[0].lower() == device:
            return name
    raise UsageError(f"OpenVINO has no {device} here; available: {', '.join(available).lower()}")
