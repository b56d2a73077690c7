"""The manifest: every fact about an artifact, typed and frozen. On the disk it is ``manifest.json``.

Fields that later code relies on are checked when a manifest is read. Unknown fields pass unread, since
later versions add some. What only one backend can say of its files stands in ``tensors.facts``.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edgectl.errors import ArtifactError
from edgectl.files import ARTIFACT_SCHEMA
from edgectl.metrics.report import EvaluationReport
from edgectl.spec import (
    OperatingPoint,
    OutputSpec,
    PreprocessSpec,
    require_distinct_outputs,
    require_name,
)

_Count = Annotated[int, Field(ge=0)]
_Path = Annotated[str, Field(pattern=r"^[^\x00]+$")]
_File = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f\"'`$\\<>|;&*?]+$", max_length=1024)]
"""Stands in code for boards and in shell scripts."""
_Name = Annotated[str, AfterValidator(require_name)]
_Word = Annotated[str, Field(pattern=r"^[\w.:+-]*$", max_length=128)]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]
_MOST_CLASSES = 100_000


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", allow_inf_nan=False, populate_by_name=True
    )

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what was stated, in the order of the fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class _OpenPart(_Part):
    """A part to which others add facts in words of their own."""

    model_config = ConfigDict(extra="allow")

    @property
    def facts(self) -> dict[str, Any]:
        """What it holds beside the fields every backend states alike."""
        return dict(self.model_extra or {})


class ListedFile(_Part):
    """A file of the artifact. ``path``: relative to its directory, posix."""

    path: _File
    bytes: _Count
    sha256: str


class Origin(_Part):
    """The checkpoint the artifact was made of. ``path``: relative to the artifact's directory."""

    path: _Path
    sha256: str
    epoch: int | None = None


class TrainingData(_OpenPart):
    """The data set the network was trained on; images and fingerprints by split."""

    name: str = ""
    fingerprint: dict[str, str] = {}
    images: dict[str, int] = {}


class Calibration(_Part):
    """The images the quantizer saw, in order. ``sha256``: over their names and bytes."""

    source: str
    count: int
    seed: int
    sha256: str
    names: tuple[str, ...]


class Tensor(_OpenPart):
    """An input or output of the file. ``shape``: as the file has it, None where it does not say.
    ``scale`` and ``zero_point``: of integer tensors with one of each."""

    name: str
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    scale: float | None = None
    zero_point: int | None = None


class Arena(_OpenPart):
    """Bytes of working memory: the whole, and how much of it activations take."""

    total: _Count
    activations: _Count | None = None


class Tensors(_OpenPart):
    """What a backend says of its file (``describe``).

    Attributes:
        files: names of the files a device loads, where they are more than the model file.
        ram_bytes: what a board's program sets aside for the model.
        ram_unknown: why that is not known.
        flash_bytes: of a device's flash, where that is not the size of its files.
    """

    files: tuple[str, ...] | None = None
    file_bytes: _Count | None = None
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    arena_bytes: _Count | None = None
    arena: Arena | None = None
    ram_bytes: _Count | None = None
    ram_unknown: str | None = None
    flash_bytes: _Count | None = None

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Tensors:
        """From what ``describe`` returned."""
        return cls.model_validate_json(json.dumps(description))


class GraphParity(_Part):
    """The float graph against the network, the quantized graph against the float graph.

    Attributes:
        float_max_abs: largest difference of any element; None where it could not be measured.
        sqnr_db: noise of quantization at each raw head.
    """

    images: _Count = 0
    float_max_abs: float | None = None
    sqnr_db: dict[str, float] = {}


class RuntimeParity(_Part):
    """The file on one runtime against the reference runtime and against the network.

    Attributes:
        differing, of: elements that differ from the reference runtime's, and elements compared.
        max_abs: largest difference from the reference runtime.
        exact: whether ``differing`` must be 0.
        heads_max_abs: largest difference from the network's raw heads, where the file holds raw heads.
        sqnr_db: noise against the network, by raw head.
    """

    differing: _Count
    of: _Count
    max_abs: float
    exact: bool
    heads_max_abs: float | None = None
    sqnr_db: dict[str, float] = {}


class Parity(_Part):
    """How far each hop computes what the one before computed. ``absent``: why a runtime was not asked."""

    graph: GraphParity = GraphParity()
    reference: str | None = None
    images: _Count = 0
    runtimes: dict[str, RuntimeParity] = {}
    absent: dict[str, str] = {}


class Compiler(_Part):
    """The vendor's compiler: how it was called, or has to be. ``facts``: what its job reported."""

    name: str = ""
    version: str = ""
    arguments: tuple[str, ...]
    product: _File
    facts: dict[str, Any]


class Scores(_Part):
    """The float network and the file, scored on the same images."""

    network: EvaluationReport = Field(validation_alias="float", serialization_alias="float")
    file: EvaluationReport


class Gate(_Part):
    """How far the main metric fell from network to file, and how far it was allowed to."""

    metric: str
    drop: float
    limit: float
    passed: bool


class Manifest(_Part):
    """Every fact about an artifact.

    Attributes:
        stage: ``ptq``, ``qat`` or ``float``.
        status: ``planned`` where the vendor's compiler has not run.
        network_config: the family's ``[model]`` table.
        overlap: the postprocess suppresses boxes that overlap more than this; None where it has none.
        gates: expressions configured for the run; None in artifacts of versions that noted none.
        tools: versions of Python, of packages and of plugins.
        model: the file a device loads; where the artifact is only planned, the ONNX file.
        runtime: on which the file is scored, where it is not the backend's first.
        decode: the decode rule of a network that is no family's.
        cut_at: its tensors that were named as heads.
        tail: the file that makes such a network's own outputs of its heads.
        metrics, gate: None where there were no labelled images to score on.
    """

    format: str = Field(
        default=ARTIFACT_SCHEMA, validation_alias="schema", serialization_alias="schema"
    )
    backend: _Word
    precision: _Word
    stage: _Word
    family: _Name
    variant: _Name
    network_config: dict[str, Any] = Field(
        validation_alias="model_config", serialization_alias="model_config"
    )
    task: Annotated[_Word, Field(min_length=1)]
    classes: Annotated[tuple[_Name, ...], Field(min_length=1, max_length=_MOST_CLASSES)]
    preprocess: PreprocessSpec
    outputs: Annotated[tuple[OutputSpec, ...], AfterValidator(require_distinct_outputs)]
    overlap: _Share | None = None
    operating_point: OperatingPoint | None = None
    checkpoint: Origin
    data: TrainingData
    gates: tuple[str, ...] | None = None
    calibration: Calibration | None = None
    tools: dict[str, str]
    status: Literal["built", "planned"]
    model: _File
    quantization: dict[str, Any] | None = None
    remarks: tuple[_Name, ...] = ()
    compiler: Compiler | None = None
    runtime: str | None = None
    decode: str | None = None
    tail: _Path | None = None
    cut_at: tuple[str, ...] = ()
    parity: Parity
    tensors: Tensors
    metrics: Scores | None = None
    gate: Gate | None = None
    files: tuple[ListedFile, ...] = ()

    @property
    def built(self) -> bool:
        """Whether the file a device loads is there."""
        return self.status == "built"

    def require_compiler(self) -> Compiler:
        """For backends whose artifacts always have one. Raises ArtifactError where it is not stated."""
        if self.compiler is None:
            raise ArtifactError(
                "the manifest does not say how the compiler was called",
                fix=f"export again: edgectl export --backend {self.backend}",
            )
        return self.compiler

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what was stated, in the order of the fields."""
        return {"schema": self.format, **super().to_dict()}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> Manifest:
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: the first field that cannot be used and why, as ``'outputs': ...``, in one line.
        """
        try:
            # as JSON, where a strict float may be written as an integer, and a tuple is an array
            manifest = cls.model_validate_json(json.dumps(document))
        except ValidationError as e:
            first = e.errors()[0]
            name = ".".join(map(str, first["loc"])) or "the document"
            reason = first["msg"].removeprefix("Value error, ").lower()
            raise ValueError(f"'{name}': {reason}") from e
        listed = {f.path for f in manifest.files}
        if manifest.model not in listed:
            raise ValueError("'model': not among the files")
        largest = max(manifest.preprocess.input_size)
        if any(o.stride > largest for o in manifest.outputs):
            raise ValueError("'outputs': a stride is larger than the input")
        absent = sorted({*(manifest.tensors.files or ())} - listed)
        if absent:
            raise ValueError(f"'tensors.files': {absent[0]} is not among the files")
        return manifest
