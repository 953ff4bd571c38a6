"""The model card: everything that must be known to use a network rightly, kept inside its ONNX file."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, NoReturn

from roadlift.errors import ModelError, UsageError
from roadlift.model._onnx import GraphSummary, sha256_without_metadata, summarise

CARD_KEY: Final = "roadlift"
MAX_CARD_CHARACTERS: Final = 1_000_000
MAX_MODEL_BYTES: Final = 512 * 1024**2
STRETCHES: Final = ("percentile", "none")
WHAT_A_CARD_IS: Final = (
    "a roadlift model card is a JSON text in the ONNX metadata under the key 'roadlift' that tells bands, "
    "ground resolution, scaling, halo and thresholds; `roadlift train` writes it, and roadlift.train.export "
    "can add one to a network of your own"
)


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a road network model is, what it expects and how well it does.

    Attributes:
        name: Short name, lower case, as in the file name (``roadlift-1m``).
        version: Version of the model, as the maker counts.
        architecture: Name of the architecture (``lite0-unet``).
        description: One or two sentences for people.
        bands: Input channels in order; always red, green, blue.
        ground_resolution_m: Metres per pixel the model works at.
        stretch: Radiometric scaling of the input: ``percentile`` (per channel and image) or ``none``.
        stretch_low_percent: Percentile of the valid pixels that becomes 0.
        stretch_high_percent: Percentile of the valid pixels that becomes 255.
        fill: Value (0..255) that invalid pixels hold when the network sees them.
        stride: Rows and columns of the input must be multiples of this, in pixels.
        halo: Default margin around each tile, in pixels; a multiple of ``stride``.
        exact_halo: Margin with which tiled and whole-image output are the same, in pixels; a multiple of
            ``stride``.
        threshold: Probability from which a pixel starts a road, 0..1.
        threshold_low: Probability down to which a road is followed (hysteresis), 0..1.
        scores: Measured quality, free JSON object (data set, then score).
        training: Data, command, seed and the like, free JSON object.
        weaknesses: What it is known to do badly, one sentence each.
        licence: SPDX expression of the weights' licence.
        credit: Whom to credit for data and pretrained weights.
        sha256: Hex digest of the graph without metadata, see :func:`graph_sha256`.

    Raises:
        ModelError: When a value has the wrong type or lies out of its range.

    Example:
        >>> card = ModelCard(
        ...     name="toy", version="1", architecture="mean", description="", ground_resolution_m=1.0,
        ...     stride=32, halo=32, exact_halo=64, threshold=0.5, threshold_low=0.3, licence="Apache-2.0",
        ...     credit="", sha256="0" * 64,
        ... )
        >>> ModelCard.from_json(card.to_json()) == card
        True
    """

    name: str
    version: str
    architecture: str
    description: str
    bands: tuple[str, ...] = ("red", "green", "blue")
    ground_resolution_m: float
    stretch: str = "percentile"
    stretch_low_percent: float = 1.0
    stretch_high_percent: float = 99.0
    fill: int = 127
    stride: int
    halo: int
    exact_halo: int
    threshold: float
    threshold_low: float
    scores: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    weaknesses: tuple[str, ...] = ()
    licence: str
    credit: str
    sha256: str

    def __post_init__(self) -> None:
        self._check_texts()
        self._check_scaling()
        self._check_geometry()
        self._check_thresholds()
        for name in ("scores", "training"):
            _check_object(name, getattr(self, name))

    def _check_texts(self) -> None:
        for name in ("name", "version", "architecture", "description", "licence", "credit", "sha256"):
            if not isinstance(getattr(self, name), str):
                _refuse(name, getattr(self, name), "a text")
        if not isinstance(self.weaknesses, tuple) or not all(
            isinstance(text, str) for text in self.weaknesses
        ):
            _refuse("weaknesses", self.weaknesses, "a list of texts")
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", self.name):
            _refuse("name", self.name, "1 to 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first")
        if not self.version:
            _refuse("version", self.version, "a text that is not empty")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            _refuse("sha256", self.sha256, "64 hexadecimal digits in lower case")

    def _check_scaling(self) -> None:
        if self.bands != ("red", "green", "blue"):
            _refuse("bands", self.bands, '["red", "green", "blue"]')
        if self.stretch not in STRETCHES:
            _refuse("stretch", self.stretch, " or ".join(STRETCHES))
        low = _number("stretch_low_percent", self.stretch_low_percent, 0, 100)
        high = _number("stretch_high_percent", self.stretch_high_percent, 0, 100)
        if low >= high:
            _refuse("stretch_low_percent", low, f"less than stretch_high_percent ({high})")
        _integer("fill", self.fill, 0, 255)

    def _check_geometry(self) -> None:
        if _number("ground_resolution_m", self.ground_resolution_m, 0, 1000) == 0:
            _refuse("ground_resolution_m", self.ground_resolution_m, "more than 0 metres")
        stride = _integer("stride", self.stride, 1, 1024)
        for name in ("halo", "exact_halo"):
            if _integer(name, getattr(self, name), 0, 8192) % stride:
                _refuse(name, getattr(self, name), f"a multiple of the stride, {stride}")
        if self.exact_halo < self.halo:
            _refuse("exact_halo", self.exact_halo, f"at least the halo, {self.halo}")

    def _check_thresholds(self) -> None:
        high = _number("threshold", self.threshold, 0, 1)
        low = _number("threshold_low", self.threshold_low, 0, 1)
        if low > high:
            _refuse("threshold_low", low, f"at most the threshold ({high})")

    def to_json(self) -> str:
        """Return the card as one JSON object, keys in the order of the fields."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card; the keys of :meth:`to_json` must be there, but for those that this version has added.

        Args:
            text: One JSON object.

        Raises:
            ModelError: When the text is not such an object, or a value is wrong.
        """
        values = _parse(text)
        known = {entry.name for entry in fields(cls)}
        missing, unknown = sorted(known - values.keys() - _ADDED), sorted(values.keys() - known)
        if missing or unknown:
            raise ModelError(
                f"the model card does not fit this version of roadlift: missing keys {missing}, "
                f"unknown keys {unknown}; export the model again or use the roadlift version that wrote it"
            )
        for name in {"bands", "weaknesses"} & values.keys():
            if isinstance(values[name], list):
                values[name] = tuple(values[name])
        return cls(**values)


_ADDED: Final = frozenset({"weaknesses"})
"""Keys that files written by the first version of roadlift do not have."""


def read_card(path: str | Path) -> ModelCard:
    """Read the card inside an ONNX file without loading the network.

    Args:
        path: An ``.onnx`` file of at most 512 MB.

    Returns:
        The card; its digest has been compared with the graph.

    Raises:
        UsageError: When there is no such file.
        ModelError: When the file is not a safe ONNX model with a fitting card.
    """
    return card_of(read_model_bytes(path), source=Path(path).name)


def graph_sha256(path: str | Path | bytes) -> str:
    """Digest of a model file that stays the same when metadata are added or removed.

    The SHA-256 is taken over the serialised ``ModelProto`` with every top-level ``metadata_props`` entry
    (field 14) left out, in file order.

    Args:
        path: An ``.onnx`` file, or the bytes of one.

    Raises:
        UsageError: When there is no such file.
        ModelError: When the file is not a protobuf message.

    Example:
        >>> graph_sha256(b"") == graph_sha256(bytes([0x72, 0]))   # field 14, empty
        True
    """
    return sha256_without_metadata(path if isinstance(path, bytes) else read_model_bytes(path))


def card_of(data: bytes, *, source: str) -> ModelCard:
    """Return the card in the bytes of a model file, after all checks that need no runtime.

    Args:
        data: The whole ONNX file.
        source: How messages call the file.

    Raises:
        ModelError: When the graph is unsafe, the card is missing or wrong, or the digest differs.
    """
    summary = summarise(data)
    check_safe(summary, source=source)
    text = summary.metadata.get(CARD_KEY)
    if text is None:
        raise ModelError(f"{source} has no roadlift model card: {WHAT_A_CARD_IS}")
    card = ModelCard.from_json(text)
    found = sha256_without_metadata(data)
    if found != card.sha256:
        raise ModelError(
            f"{source} was changed after its card was written: the graph's SHA-256 is {found[:12]}..., "
            f"the card says {card.sha256[:12]}...; export the model again or get an intact copy"
        )
    return card


def check_safe(summary: GraphSummary, *, source: str) -> None:
    """Refuse what a road network never needs and a hostile file would use.

    Raises:
        ModelError: On external data, operators outside the default domain, own functions, or control flow.
    """
    if summary.external_tensors:
        raise ModelError(
            f"{source} keeps {summary.external_tensors} tensors in other files; all weights must lie in the "
            ".onnx file itself (onnx.save with save_as_external_data=False)"
        )
    foreign = sorted(summary.domains - {"", "ai.onnx"})
    if foreign:
        raise ModelError(f"{source} uses operators of {foreign}; only the default ONNX domain is allowed")
    if summary.functions or summary.nested_graphs:
        raise ModelError(
            f"{source} holds {summary.functions} functions and {summary.nested_graphs} nested graphs "
            "(Loop, If, Scan); only plain feed-forward graphs are allowed"
        )


def read_model_bytes(path: str | Path) -> bytes:
    """Read the bytes of an ``.onnx`` file, size and name checked first.

    Raises:
        UsageError: When there is no such file.
        ModelError: When the name does not end in ``.onnx``, or the file is empty, too large or unreadable.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise ModelError(
            f"{path} is not an .onnx file; roadlift loads no other model format, export the model to ONNX"
        )
    if not path.is_file():
        raise UsageError(
            f"no model file {path}; give the path of an .onnx file or the name of a built-in model"
        )
    size = path.stat().st_size
    if not 0 < size <= MAX_MODEL_BYTES:
        raise ModelError(f"{path} has {size} bytes; a model file has 1 to {MAX_MODEL_BYTES} bytes")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}; check its permissions") from error


def _parse(text: str) -> dict[str, Any]:
    if len(text) > MAX_CARD_CHARACTERS:
        raise ModelError(
            f"the model card has {len(text)} characters; at most {MAX_CARD_CHARACTERS} are allowed"
        )
    try:
        values = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the model card is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise ModelError(f"the model card is a JSON {type(values).__name__}; an object is expected")
    return values


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ModelError("the model card holds a key twice; each key is allowed once")
    return values


def _no_constant(name: str) -> NoReturn:
    raise ModelError(f"the model card holds {name}, which is not JSON; use null or leave the entry out")


def _number(name: str, value: object, lowest: float, highest: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(name, value, "a number")
    if not lowest <= value <= highest:
        _refuse(name, value, f"{lowest} to {highest}")
    return float(value)


def _integer(name: str, value: object, lowest: int, highest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(name, value, "a whole number")
    if not lowest <= value <= highest:
        _refuse(name, value, f"{lowest} to {highest}")
    return value


def _check_object(name: str, value: object) -> None:
    if not isinstance(value, dict):
        _refuse(name, value, "a JSON object")
    try:
        same = json.loads(json.dumps(value, allow_nan=False)) == value
    except (TypeError, ValueError) as error:
        raise ModelError(f"model card: {name} cannot be written as JSON: {error}") from error
    if not same:
        raise ModelError(
            f"model card: {name} does not survive JSON; use only texts as keys, and lists, not tuples"
        )


def _refuse(name: str, value: object, allowed: str) -> NoReturn:
    raise ModelError(f"model card: {name} is {value!r}; allowed: {allowed}")
