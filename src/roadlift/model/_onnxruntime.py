"""ONNX Runtime behind the runtime protocol; an extra, imported only when it is asked for."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from roadlift.errors import ModelError, UsageError
from roadlift.model import patience, runtime
from roadlift.model.runtime import Signature, Tensor, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from roadlift.model.runtime import Float32, UInt8


# Runtime


class OnnxRuntime:
    """ONNX Runtime: one session, as many calls at a time as there are threads, each on its own thread."""

    name = "onnxruntime"

    def __init__(self, graph: bytes, *, device: str, threads: int, precision: str) -> None:
        if precision == "bf16":
            raise UsageError(
                "ONNX Runtime computes in f32 or int8; use precision 'auto' or 'f32', or the openvino runtime"
            )
        self.precision = "int8" if precision == "int8" else "f32"
        self._ort = _import()
        self.device = device
        self.threads = threads
        provider = _provider(self._ort.get_available_providers(), device)
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            self._session = self._ort.InferenceSession(graph, options, providers=[provider])
        except Exception as error:
            raise ModelError(f"ONNX Runtime cannot read the network: {first_line(error)}") from error

    def signature(self) -> Signature:
        """Describe the inputs and outputs of the network."""

        def describe(port: Any) -> Tensor:
            dtype = {"tensor(float)": "float32"}.get(port.type, port.type)
            return Tensor(port.name, dtype, len(port.shape))

        session = self._session
        return Signature(
            tuple(map(describe, session.get_inputs())), tuple(map(describe, session.get_outputs()))
        )

    def probe(self, image: Float32) -> Float32:
        """Plain network output for a float32 input."""
        return self._within(runtime.PROBE_SECONDS, image, runtime.too_slow)

    def _within(self, seconds: float, image: Float32, late: Callable[[], ModelError]) -> Float32:
        """Compute, and stop it when it takes too long."""
        options, stopped = self._ort.RunOptions(), threading.Event()

        def stop() -> None:
            stopped.set()
            options.terminate = True

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            return self._compute(image, options)
        except ModelError as error:
            raise (late() if stopped.is_set() else error) from error
        finally:
            timer.cancel()

    def _compute(self, image: Float32, options: Any) -> Float32:
        try:
            name = self._session.get_inputs()[0].name
            return np.asarray(self._session.run(None, {name: image}, options)[0])
        except Exception as error:
            raise ModelError(f"ONNX Runtime cannot run the network: {first_line(error)}") from error

    def prepare(self, shape: tuple[int, int]) -> None:
        """Do nothing: a session takes tiles of any shape."""

    def rest(self) -> None:
        """Do nothing: a session keeps no tiles."""

    def run(self, tiles: Iterable[UInt8]) -> Iterator[UInt8]:
        """Map tiles in order; one more call than threads is under way."""
        running: deque[Any] = deque()
        with ThreadPoolExecutor(self.threads, thread_name_prefix="onnxruntime") as pool:
            try:
                for tile in tiles:
                    if len(running) > self.threads:
                        yield running.popleft().result()
                    running.append(pool.submit(self._tile, tile))
                while running:
                    yield running.popleft().result()
            finally:
                for future in running:
                    future.cancel()

    def _tile(self, tile: UInt8) -> UInt8:
        image = np.ascontiguousarray(tile.transpose(2, 0, 1)[None], dtype=np.float32)
        image /= np.float32(255)
        late = partial(patience.hangs, (tile.shape[0], tile.shape[1]))
        probability = self._within(patience.TILE_SECONDS, image, late)[0, 0]
        steps: UInt8 = np.rint(probability * np.float32(254)).astype(np.uint8)
        return steps


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError("ONNX Runtime is not installed; run: pip install 'roadlift[onnxruntime]'") from error
    return onnxruntime


def _provider(available: list[str], device: str) -> str:
    wanted = {"cpu": "CPUExecutionProvider", "gpu": "CUDAExecutionProvider"}[device]
    if wanted not in available:
        raise UsageError(
            f"ONNX Runtime has no {device} here (provider {wanted}); available: {', '.join(available)}; "
            "for NVIDIA GPUs install onnxruntime-gpu"
        )
    return wanted
