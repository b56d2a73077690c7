"""The values that cross the borders of the house. Frozen, small, and free of heavy imports.

A family and a backend meet only through :class:`OutputSpec`, :class:`PreprocessSpec` and the op set
of ``edgectl.quant.graph``.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from edgectl.data.preprocess import SourcePicture

Task = Literal["centroid", "detection", "classification"]
PluginKind = Literal["family", "backend", "dataset"]
Size = tuple[int, int]
"""(height, width), everywhere."""


@dataclass(frozen=True)
class PreprocessSpec:
    """How a decoded picture becomes the network's input. Stored in checkpoints and artifacts.

    The network sees ``(pixel - mean) / std`` with ``pixel``, ``mean`` and ``std`` in 0..255 units,
    channels in ``channel_order``, as float32 NCHW.

    Attributes:
        input_size: (height, width) of the network input, pixels.
        resize: ``letterbox`` keeps the aspect ratio and pads; ``stretch`` does not.
        pad_value: 0..255, written into the letterbox border in every channel.
        pad_side: ``bottom_right`` puts the picture at the origin; ``center`` splits the border.
        channel_order: ``rgb`` or ``bgr``. (cv2 decodes bgr.)
        mean, std: per channel, in 0..255 units, in ``channel_order``.
    """

    input_size: Size
    resize: Literal["letterbox", "stretch"] = "letterbox"
    pad_value: int = 114
    pad_side: Literal["bottom_right", "center"] = "bottom_right"
    channel_order: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (255.0, 255.0, 255.0)
    layout: Literal["nchw"] = "nchw"
    dtype: Literal["float32"] = "float32"

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and scalars, for JSON, TOML and checkpoints."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PreprocessSpec:
        """Inverse of :meth:`to_dict`. Raises TypeError on unknown keys."""
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items()
        }
        return cls(**values)


@dataclass(frozen=True)
class OutputSpec:
    """One raw head tensor.

    Attributes:
        name: unique within the model, for example ``cells``.
        kind: what the numbers are. ``class_logits``; ``cell_logits``: channel 0 is the background;
            ``box_distances``: left, top, right, bottom from the cell's point, in units of the stride;
            ``box_log_distances``: their logarithms; ``centerness_logits``: how central the cell is in
            its object, or how well its box fits; ...
        stride: input pixels per output cell; 0 where the tensor has no grid.
        channels: size of dimension 1 of the NCHW tensor.
        activation: what the postprocess applies to the raw tensor to obtain scores. A backend may
            put it into the file; then ``applied`` is true in that artifact's manifest.
        offset: of distances: the point's place in its cell, 0 the corner, 0.5 the centre.
    """

    name: str
    kind: str
    stride: int
    channels: int
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    applied: bool = False
    offset: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and checkpoints."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> OutputSpec:
        """Inverse of :meth:`to_dict`."""
        return cls(**data)


@dataclass
class Detections:
    """What a postprocess returns for one picture, in network-input pixels.

    Attributes:
        boxes_xyxy: (K, 4) float. A centroid family gives the extent of the cells that fired; the
            reported point is the box centre.
        scores: (K,) float in 0..1, descending.
        labels: (K,) int64, 0-based class index (background is not a class).
        cells: (rows, columns) int64, the winning channel of every cell with background 0 and no
            threshold; only families that predict on one grid give it.

    A classification family ranks the whole picture: every class once in ``labels``, best first, equal
    scores in class order, and ``boxes_xyxy`` empty, (0, 4).
    """

    boxes_xyxy: Tensor
    scores: Tensor
    labels: Tensor
    cells: Tensor | None = None


@dataclass
class Targets:
    """Ground truth of a batch, in network-input pixels.

    Attributes:
        boxes_xyxy: one (N_i, 4) float tensor a picture; N_i may be 0.
        labels: one (N_i,) int64 tensor a picture, 0-based.
        sources: one a picture, for metrics in original pixels; None in training batches, whose
            pictures are augmented.
        image_labels: classification: the class of each picture, (N,) int64; or, where pictures are
            mixed, the share of each class in it, (N, C) float. ``boxes_xyxy`` and ``labels`` then
            hold nothing.
        image_weights: (N,) float, how much each picture counts in the loss; None: all alike.
    """

    boxes_xyxy: list[Tensor]
    labels: list[Tensor]
    sources: list[SourcePicture] | None = None
    image_labels: Tensor | None = None
    image_weights: Tensor | None = None


@dataclass(frozen=True)
class OperatingPoint:
    """The score threshold a checkpoint ships with, and where it was chosen.

    Attributes:
        threshold: detections below it are dropped.
        source: for example ``train-holdout (12 pictures)``.
        metric: value of the criterion at that threshold on that source.
    """

    threshold: float
    source: str
    metric: float


@dataclass(frozen=True)
class WeightsSource:
    """Where pretrained weights come from: a file name searched in ``$EDGECTL_WEIGHTS`` and the
    user cache, then ``url`` (never with ``--offline``).

    ``mean``/``std`` (0..255 units, rgb) is the normalisation the weights were trained with.
    """

    filename: str
    url: str | None
    licence: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class VariantInfo:
    """One named size of a family. ``output_stride`` is the multiple the input size must have."""

    name: str
    summary: str
    output_stride: int
    default_input_size: Size
    weights: WeightsSource | None = None


@dataclass(frozen=True)
class FamilyInfo:
    """What ``edgectl_register_families`` returns. Light: the code is imported when it is used.

    Attributes:
        entry: ``module:Class`` of a :class:`edgectl.protocols.Family`, imported on first use.
        api: plugin API range this plugin was written for, inclusive.
    """

    name: str
    task: Task
    summary: str
    entry: str
    variants: tuple[VariantInfo, ...]
    default_variant: str
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class ToolInfo:
    """A vendor's compiler. It runs as a process of its own, in an environment of its own.

    Attributes:
        name: of its ``[tools.NAME]`` table and of its directory under the user's tools.
        command: the program, searched on PATH. Empty: Python, which then must have ``module``.
        module: what that Python must be able to import, for example ``rknn``.
        distribution: whose version is reported and recorded.
        requirements: what ``edgectl tools setup NAME`` installs. Empty where the vendor hands the
            compiler out behind a login.
        bare: installed after them without looking at what they ask for: compilers whose own pins
            cannot be met together.
        fix: how to get it, where ``tools setup`` cannot.
    """

    name: str
    command: str = ""
    module: str = ""
    distribution: str = ""
    requirements: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    fix: str = ""


@dataclass(frozen=True)
class BackendInfo:
    """What ``edgectl_register_backends`` returns. ``entry`` is a :class:`edgectl.protocols.Backend`.

    ``precisions``: what it writes; ``runtimes``: what ``eval --runtime`` accepts; the default first.
    ``exact``: those runtimes that must agree bit for bit on an int8 file; export proves it.
    ``input``: what its graphs take. ``unit``: pixel / 255, the rest of the PreprocessSpec folded into
    the first layer; ``normalised``: (pixel - mean) / std, which the device's runtime computes itself.
    ``suffix``: of its model files, where files of other programs can be profiled and timed too.
    ``takes``: ``graph``: edgectl quantises the traced graph, ``entry`` is a Backend and writes it.
    ``network``: ``entry`` is a :class:`edgectl.protocols.VendorBackend`, which takes the float network as
    ONNX; quantising is left to the compiler ``tool``.
    """

    name: str
    summary: str
    entry: str
    precisions: tuple[str, ...]
    runtimes: tuple[str, ...]
    exact: tuple[str, ...] = ()
    qat: bool = False
    input: Literal["unit", "normalised"] = "unit"
    suffix: str = ""
    takes: Literal["graph", "network"] = "graph"
    tool: ToolInfo | None = None
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class DatasetInfo:
    """A named data set of the catalog (``edgectl_register_datasets``).

    Attributes:
        directories: folder names looked for under each data root.
        url: an archive to download, or None.
        generate: ``module:function`` that draws the set: ``f(directory: Path, seed: int) -> None``.
        format: format name, or ``auto``.
    """

    name: str
    summary: str
    licence: str
    directories: tuple[str, ...] = ()
    url: str | None = None
    generate: str | None = None
    format: str = "auto"
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class BoardInfo:
    """A device artifacts are deployed to (``edgectl_register_boards``). Sizes in bytes."""

    name: str
    summary: str
    backend: str
    flash_bytes: int
    ram_bytes: int
    accelerator: str = ""
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class CommandInfo:
    """An additional top-level command (``edgectl_register_commands``); ``entry`` is ``module:typer_app``."""

    name: str
    summary: str
    entry: str
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class DoctorCheck:
    """One line of ``edgectl doctor``."""

    name: str
    status: Literal["ok", "missing", "warning"]
    detail: str
    fix: str = ""
    api: tuple[int, int] = field(default=(1, 1), repr=False)
