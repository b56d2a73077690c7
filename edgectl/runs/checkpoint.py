"""The checkpoint: everything a run knows about its model, in one file that never runs code.

A dictionary of tensors and plain values written by ``torch.save``, read with ``weights_only=True``.
``weights`` are for inference (the moving average where one is kept); ``training`` is what a resumed
run needs and is absent from ``best.pt``.
"""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from edgectl.errors import ArtifactError
from edgectl.files import replacing_file
from edgectl.spec import (
    OperatingPoint,
    OutputSpec,
    PreprocessSpec,
    Size,
    require_distinct_outputs,
    require_name,
)

SCHEMA = "edgectl-checkpoint/1"

_SLACK = 1 << 20
"""torch stores tensors as they are: a file that unpacks to more was made to fill memory."""

# What torch.load raises on files that are not what they claim to be.
_UNREADABLE = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Checkpoint:
    """One trained model and the facts about it.

    Attributes:
        config: the resolved ``RunConfig`` as plain values.
        classes: names in label order.
        preprocess: how images are prepared; the input size stands here.
        outputs: the raw heads, in order.
        weights: state dict for inference, on the CPU.
        epoch: epochs completed when the weights were taken.
        data: ``name``, ``fingerprint`` of each split, ``images`` of each split.
        metrics: on the validation split at the operating point, once measured.
        training: optimizer, raw weights, averages, random states; None where training cannot go on.
    """

    family: str
    variant: str
    task: str
    config: dict[str, Any]
    classes: tuple[str, ...]
    preprocess: PreprocessSpec
    outputs: tuple[OutputSpec, ...]
    weights: dict[str, Tensor]
    epoch: int
    data: dict[str, Any]
    versions: dict[str, str]
    metrics: dict[str, Any] = field(default_factory=dict)
    operating_point: OperatingPoint | None = None
    training: dict[str, Any] | None = None
    schema: str = SCHEMA

    def save(self, path: Path) -> None:
        """Atomically: a crash leaves the previous file. Raises EdgectlError when disk says no."""
        with replacing_file(path) as f:
            write_tensors(self.to_dict(), f)

    def to_dict(self) -> dict[str, Any]:
        """What the file holds: tensors and plain values."""
        point = self.operating_point
        document = {name: getattr(self, name) for name in _TYPES if name != "input_size"}
        document |= {
            "classes": list(self.classes),
            # said twice in the file: versions before read it here
            "input_size": list(self.preprocess.input_size),
            "preprocess": self.preprocess.to_dict(),
            "outputs": [spec.to_dict() for spec in self.outputs],
            "operating_point": None if point is None else point.to_dict(),
        }
        return {name: document[name] for name in _TYPES}

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads a checkpoint onto the CPU.

        Raises:
            ArtifactError: absent, truncated, altered, foreign, of another schema, or with code.
        """
        document = read_document(path)
        schema = document.get("schema")
        if not isinstance(schema, str) or not schema.startswith("edgectl-checkpoint/"):
            raise ArtifactError(
                "a PyTorch file, but not an edgectl checkpoint",
                where=str(path),
                fix="name a checkpoint of a run (runs/.../checkpoints/best.pt); "
                "pretrained weights go to: edgectl train FAMILY --weights FILE",
            )
        if schema != SCHEMA:
            raise ArtifactError(
                f"checkpoint schema {schema}; this version reads {SCHEMA}",
                where=str(path),
                fix="use the edgectl version that wrote it, or train again",
            )
        try:
            return _parse(document)
        except ValueError as e:
            raise ArtifactError(
                f"damaged or altered checkpoint (field {e})",
                where=str(path),
                fix="restore the file from a copy, or train again",
            ) from e


class _Remembering:
    """A file that remembers what the disk said: torch's writer reports something else."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """As the file does."""
        try:
            return self._file.write(data)
        except OSError as e:
            self.error = e
            raise

    def flush(self) -> None:
        """As the file does."""
        self._file.flush()


def write_tensors(document: dict[str, Any], file: BinaryIO) -> None:
    """``torch.save``. Raises OSError where the disk is full."""
    remembering = _Remembering(file)
    try:
        torch.save(document, remembering)  # type: ignore[arg-type]
    except RuntimeError as e:
        if remembering.error is not None:
            raise remembering.error from e
        raise


def read_document(path: Path) -> dict[str, Any]:
    """What a checkpoint file holds, on the CPU; no code in it is run. Raises ArtifactError."""
    again = "train again: edgectl train, or restore the file from a copy"
    if not path.is_file():
        raise ArtifactError("no such checkpoint", where=str(path), fix="edgectl train")
    try:
        # torch.load does not compare the checksums it stores
        with zipfile.ZipFile(path) as archive:
            if sum(i.file_size for i in archive.infolist()) > 2 * path.stat().st_size + _SLACK:
                raise ArtifactError(
                    "unpacks to more than it holds; refused", where=str(path), fix=again
                )
            altered = archive.testzip()
        if altered is not None:
            raise ArtifactError(
                f"altered: {altered} fails its checksum", where=str(path), fix=again
            )
        document = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as e:
        raise ArtifactError(
            "holds Python objects that could run code; refused",
            where=str(path),
            fix="load checkpoints written by edgectl; save other weights as a plain state dict",
        ) from e
    except _UNREADABLE as e:
        raise ArtifactError("truncated, or not a checkpoint", where=str(path), fix=again) from e
    if not isinstance(document, dict):
        raise ArtifactError(
            f"holds a {type(document).__name__}, not a checkpoint", where=str(path), fix=again
        )
    return document


_TYPES: dict[str, tuple[type, ...]] = {
    "family": (str,),
    "variant": (str,),
    "task": (str,),
    "config": (dict,),
    "classes": (list,),
    "input_size": (list,),
    "preprocess": (dict,),
    "outputs": (list,),
    "weights": (dict,),
    "epoch": (int,),
    "data": (dict,),
    "versions": (dict,),
    "metrics": (dict,),
    "operating_point": (dict, type(None)),
    "training": (dict, type(None)),
    "schema": (str,),
}


def is_checkpoint(path: Path) -> bool:
    """Whether a file says that it is a checkpoint of edgectl's, of whatever version or health."""
    try:
        schema = read_document(path).get("schema")
    except ArtifactError:
        return False
    return isinstance(schema, str) and schema.startswith("edgectl-checkpoint/")


def _parse(document: dict[str, Any]) -> Checkpoint:
    """Raises ValueError with the name of a field that cannot be used, quoted."""
    wrong = sorted(set(_TYPES) ^ set(document)) or [
        name for name, kinds in _TYPES.items() if not isinstance(document[name], kinds)
    ]
    if wrong:
        raise ValueError(", ".join(map(repr, wrong)))
    values = {name: _parse_field(name, value) for name, value in document.items()}
    if values.pop("input_size") != values["preprocess"].input_size:
        raise ValueError(repr("preprocess"))
    return Checkpoint(**values)


def _parse_field(name: str, value: Any) -> Any:
    read = _READERS.get(name)
    try:
        return value if read is None else read(value)
    except ValueError as e:
        raise ValueError(repr(name)) from e


def _read_weights(values: dict[str, Any]) -> dict[str, Tensor]:
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError("not tensors by name")
        require_plain(value)
        if not value.isfinite().all():
            raise ValueError("not finite tensors")
    return values


def require_plain(tensor: Tensor) -> None:
    """Raises ValueError for a tensor that is no array of numbers in memory, or that says to be more than
    its file holds: a view of one number may have any shape."""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise ValueError("a tensor that is no plain array")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError("a tensor larger than its storage")


def _read_classes(names: list[Any]) -> tuple[str, ...]:
    if not all(isinstance(name, str) for name in names):
        raise ValueError("not names")
    return tuple(map(require_name, names))


def _read_size(value: list[Any]) -> Size:
    if len(value) != 2 or not all(isinstance(v, int) and v > 0 for v in value):
        raise ValueError("not a height and a width")
    return value[0], value[1]


def _read_outputs(values: list[Any]) -> tuple[OutputSpec, ...]:
    return require_distinct_outputs([OutputSpec.from_dict(v) for v in values])


_READERS: dict[str, Callable[[Any], Any]] = {
    "weights": _read_weights,
    "classes": _read_classes,
    "input_size": _read_size,
    "preprocess": PreprocessSpec.from_dict,
    "outputs": _read_outputs,
    "operating_point": lambda value: None if value is None else OperatingPoint.from_dict(value),
}
