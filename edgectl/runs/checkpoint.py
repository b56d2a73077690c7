"""The checkpoint: everything a run knows about its model, in one file that never runs code.

A dictionary of tensors and plain values written by ``torch.save``, read with ``weights_only=True``.
``weights`` are for inference (the moving average where one is kept); ``training`` is what a resumed
run needs and is absent from ``best.pt``.
"""

from __future__ import annotations

import dataclasses
import pickle
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from edgectl.errors import ArtifactError
from edgectl.files import replacing_file
from edgectl.runs.stored import are_outputs, is_operating_point, is_preprocess
from edgectl.spec import OperatingPoint, Size

SCHEMA = "edgectl-checkpoint/1"

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


@dataclass
class Checkpoint:
    """One trained model and its papers.

    Attributes:
        config: the resolved ``RunConfig`` as plain values.
        classes: names in label order.
        input_size: (height, width), pixels.
        preprocess, outputs: ``PreprocessSpec.to_dict`` and one ``OutputSpec.to_dict`` a head.
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
    classes: list[str]
    input_size: Size
    preprocess: dict[str, Any]
    outputs: list[dict[str, Any]]
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
        document = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if self.operating_point is not None:
            document["operating_point"] = dataclasses.asdict(self.operating_point)
        document["input_size"] = list(self.input_size)
        with replacing_file(path) as f:
            torch.save(document, f)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Reads a checkpoint onto the CPU.

        Raises:
            ArtifactError: absent, truncated, altered, foreign, of another schema, or with code.
        """
        document = _read(path)
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
        _check_fields(document, path)
        point = document["operating_point"]
        document["operating_point"] = None if point is None else OperatingPoint(**point)
        height, width = document["input_size"]
        document["input_size"] = (height, width)
        return cls(**document)


def _read(path: Path) -> dict[str, Any]:
    again = "train again: edgectl train, or restore the file from a copy"
    if not path.is_file():
        raise ArtifactError("no such checkpoint", where=str(path), fix="edgectl train")
    try:
        # torch.load does not compare the checksums it stores
        with zipfile.ZipFile(path) as archive:
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
        schema = _read(path).get("schema")
    except ArtifactError:
        return False
    return isinstance(schema, str) and schema.startswith("edgectl-checkpoint/")


def _check_fields(document: dict[str, Any], path: Path) -> None:
    wrong = sorted(set(_TYPES) ^ set(document)) or [
        name for name, kinds in _TYPES.items() if not isinstance(document[name], kinds)
    ]
    if not wrong:
        weights = document["weights"]
        if not all(isinstance(v, Tensor) and v.isfinite().all() for v in weights.values()):
            wrong = ["weights"]
        elif not all(isinstance(c, str) for c in document["classes"]):
            wrong = ["classes"]
        elif not _is_size(document["input_size"]):
            wrong = ["input_size"]
        elif (
            not is_preprocess(document["preprocess"])
            or list(document["preprocess"]["input_size"]) != document["input_size"]
        ):
            wrong = ["preprocess"]
        elif not are_outputs(document["outputs"]):
            wrong = ["outputs"]
        elif not is_operating_point(document["operating_point"]):
            wrong = ["operating_point"]
    if wrong:
        raise ArtifactError(
            f"damaged or altered checkpoint (field {', '.join(map(repr, wrong))})",
            where=str(path),
            fix="restore the file from a copy, or train again",
        )


def _is_size(value: list[Any]) -> bool:
    return len(value) == 2 and all(isinstance(v, int) and v > 0 for v in value)
