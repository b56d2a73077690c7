"""ncnn's text format: the layers of a network, one a line.

    7767517
    <layers> <blobs>
    <type> <name> <inputs> <outputs> <input blobs...> <output blobs...> <key>=<value>...

A key of -23300 - n holds array n: ``count,v,v,...``. Values are kept as the text they were read as, so
that a file read and written again has the same bytes, unknown keys included.
https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgectl.errors import ArtifactError

MAGIC = "7767517"
_ARRAY = -23300
_AGAIN = "export the model again, or copy the file afresh"

Value = int | float | Sequence[int] | Sequence[float]


@dataclass(frozen=True)
class Layer:
    """One line.

    Attributes:
        type: ``Convolution``, ``Pooling``, ...
        name: of the layer; unique in files of this project.
        inputs, outputs: blob names.
        params: key -> text after the equals sign, in file order.
        line: where it was read, for messages; 0 for a layer that was made here.
    """

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[int, str] = field(default_factory=dict)
    line: int = field(default=0, compare=False)

    def integer(self, key: int, default: int = 0) -> int:
        """Raises ArtifactError on other text."""
        return int(self._number(key, default, int))

    def number(self, key: int, default: float = 0.0) -> float:
        """Raises ArtifactError on other text."""
        return float(self._number(key, default, float))

    def array(self, index: int) -> list[float]:
        """The values of array ``index``, empty where it is absent. Raises ArtifactError."""
        text = self.params.get(_ARRAY - index)
        if text is None:
            return []
        try:
            count, *values = text.split(",")
            if int(count) != len(values):
                raise ValueError
            return [float(v) for v in values]
        except ValueError as e:
            raise self.damaged(f"array {index} cannot be read: {text[:40]}") from e

    def damaged(self, problem: str) -> ArtifactError:
        """The error to raise about this layer."""
        where = f"line {self.line}: " if self.line else ""
        return ArtifactError(f"{where}{self.type} '{self.name}': {problem}", fix=_AGAIN)

    def _number(self, key: int, default: float, parse: Callable[[str], float]) -> float:
        text = self.params.get(key)
        if text is None:
            return default
        try:
            return parse(text)
        except ValueError as e:
            raise self.damaged(f"{key}={text[:40]} is no number") from e


def make_layer(
    type_: str,
    name: str,
    inputs: Iterable[str],
    outputs: Iterable[str],
    params: dict[int, Value] | None = None,
) -> Layer:
    """A layer from numbers; a sequence becomes an array key.

    Floats are written with a point or exponent: ncnn reads ``6`` as an integer's bits. Nine
    digits hold a float32, and with sign and exponent the 15 characters that ncnn's parser takes.
    """
    text = {}
    for key, value in (params or {}).items():
        if isinstance(value, int | float):
            text[key] = _text(value)
        else:
            text[_ARRAY - key] = ",".join([str(len(value)), *(_text(v) for v in value)])
    return Layer(type_, name, tuple(inputs), tuple(outputs), text)


def _text(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.8e}"


def parse_param(text: str, where: str = "model.param") -> list[Layer]:
    """The layers of a file, in order.

    Raises:
        ArtifactError: not this format, cut short, or layers that read blobs nobody has written.
    """
    lines = text.split("\n")
    if lines[0].strip() != MAGIC:
        raise ArtifactError("not an ncnn .param file", where=where, fix=_AGAIN)
    counts = lines[1].split() if len(lines) > 1 else []
    if len(counts) != 2 or not all(c.isdigit() for c in counts):
        raise ArtifactError("no layer and blob counts in line 2", where=where, fix=_AGAIN)
    layers = []
    produced: set[str] = set()
    for number, line in enumerate(lines[2:], start=3):
        if not line.strip():
            continue
        layer = _parse_layer(line, number, f"{where}:{number}")
        missing = [i for i in layer.inputs if i not in produced]
        if missing:
            raise ArtifactError(
                f"'{layer.name}' reads '{missing[0]}', which nothing before it writes",
                where=f"{where}:{number}",
                fix=_AGAIN,
            )
        produced.update(layer.outputs)
        layers.append(layer)
    if len(layers) != int(counts[0]) or len(produced) != int(counts[1]):
        raise ArtifactError(
            f"{len(layers)} layers and {len(produced)} blobs; line 2 announces "
            f"{counts[0]} and {counts[1]}: the file is cut short or was edited",
            where=where,
            fix=_AGAIN,
        )
    return layers


def _parse_layer(line: str, number: int, where: str) -> Layer:
    words = line.split()
    try:
        type_, name, inputs, outputs = words[0], words[1], int(words[2]), int(words[3])
        rest = words[4:]
        if inputs < 0 or outputs < 0 or len(rest) < inputs + outputs:
            raise ValueError
        params = {}
        for word in rest[inputs + outputs :]:
            key, _, value = word.partition("=")
            if not value or int(key) in params:
                raise ValueError
            params[int(key)] = value
    except (ValueError, IndexError) as e:
        raise ArtifactError(f"not a layer: '{line.strip()[:60]}'", where=where, fix=_AGAIN) from e
    blobs = tuple(rest[: inputs + outputs])
    return Layer(type_, name, blobs[:inputs], blobs[inputs:], params, number)


def format_param(layers: Sequence[Layer]) -> str:
    """Inverse of :func:`parse_param`."""
    blobs = sum(len(layer.outputs) for layer in layers)
    lines = [MAGIC, f"{len(layers)} {blobs}"]
    for layer in layers:
        head = f"{layer.type:<24} {layer.name:<24} {len(layer.inputs)} {len(layer.outputs)}"
        params = (f"{k}={v}" for k, v in layer.params.items())
        lines.append(" ".join([head, *layer.inputs, *layer.outputs, *params]))
    return "\n".join(lines) + "\n"


def read_param(path: Path) -> list[Layer]:
    """:func:`parse_param` of a file. Raises ArtifactError."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as e:
        raise ArtifactError(f"cannot be read as text: {e}", where=str(path), fix=_AGAIN) from e
    return parse_param(text, str(path))
