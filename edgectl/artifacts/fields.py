"""The fields of a manifest that later code relies on, as types: checked once, when an artifact is opened.

Other fields pass unread: backends describe their files in words of their own, and versions add some.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edgectl.runs.stored import are_outputs, is_operating_point, is_preprocess

_Count = Annotated[int, Field(ge=0)]


def _passing(test: Callable[[Any], bool]) -> AfterValidator:
    def check(value: Any) -> Any:
        if not test(value):
            raise ValueError("cannot be read back")
        return value

    return AfterValidator(check)


class _Fields(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class _File(_Fields):
    path: Annotated[str, Field(pattern=r"^[^\x00]+$")]
    bytes: _Count
    sha256: str


class _Origin(_Fields):
    path: Annotated[str, Field(pattern=r"^[^\x00]+$")]
    sha256: str


class _Data(_Fields):
    name: str = ""


class _Arena(_Fields):
    total: _Count


class _Tensors(_Fields):
    """The part of a backend's description of its file that every backend states alike."""

    files: list[str] | None = None
    arena: _Arena | None = None
    ram_bytes: _Count | None = None
    ram_unknown: str | None = None


class _Graph(_Fields):
    sqnr_db: dict[str, float] = {}


class _Runtime(_Fields):
    differing: _Count
    of: _Count
    max_abs: float
    exact: bool


class _Parity(_Fields):
    graph: _Graph = _Graph()
    runtimes: dict[str, _Runtime] = {}


class _Compiler(_Fields):
    arguments: list[str]
    product: str
    facts: dict[str, Any]


class _Gate(_Fields):
    metric: str
    drop: float
    limit: float
    passed: bool


class _Identity(_Fields):
    sha256: str


class _Scored(_Fields):
    metrics: dict[str, Any]
    model: _Identity


class _Metrics(_Fields):
    network: _Scored = Field(alias="float")
    file: _Scored


class _Manifest(_Fields):
    backend: str
    precision: str
    stage: str
    status: Literal["built", "planned"]
    runtime: str | None = None
    family: str
    variant: str
    network: dict[str, Any] = Field(alias="model_config")
    task: Annotated[str, Field(min_length=1)]
    classes: Annotated[list[str], Field(min_length=1)]
    preprocess: Annotated[dict[str, Any], _passing(is_preprocess)]
    outputs: Annotated[list[dict[str, Any]], _passing(are_outputs)]
    overlap: float | None = None
    operating_point: Annotated[dict[str, Any] | None, _passing(is_operating_point)] = None
    checkpoint: _Origin
    data: _Data
    gates: list[str] = []
    tools: dict[str, str]
    remarks: list[str] = []
    model: str
    files: list[_File]
    tensors: _Tensors
    parity: _Parity
    compiler: _Compiler | None = None
    metrics: _Metrics | None = None
    gate: _Gate | None = None


def wrong_field(manifest: dict[str, Any]) -> str | None:
    """The first field that cannot be used and why, as ``'outputs': cannot be read back``; None: all can."""
    try:
        # as JSON, where a strict float may be written as an integer
        _Manifest.model_validate_json(json.dumps(manifest))
    except ValidationError as e:
        first = e.errors()[0]
        name = ".".join(map(str, first["loc"])) or "the document"
        return f"'{name}': {first['msg'].removeprefix('Value error, ').lower()}"
    listed = {f["path"] for f in manifest["files"]}
    if manifest["model"] not in listed:
        return "'model': not among the files"
    absent = sorted({*(manifest["tensors"].get("files") or ())} - listed)
    return f"'tensors.files': {absent[0]} is not among the files" if absent else None
