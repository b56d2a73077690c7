"""Values every room may name: what goes into a network and what comes out. Frozen and light.

A family and a backend meet only through :class:`OutputSpec`, :class:`PreprocessSpec` and the op set
of ``edgectl.quant.graph``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, ClassVar, Literal, TypeVar

from edgectl.escape.terminal import is_control

Size = tuple[int, int]
"""(height, width), everywhere."""
Progress = Callable[[str], None]
TENSORS = "tensors"
"""Instead of a task's name: nobody said how the outputs of a network are read."""
_CHANNELS = 3  # images are decoded in color, always
ChannelOrder = Literal["rgb", "bgr", "gray"]
LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue count in gray: ITU-R BT.601, as JPEG, OpenCV's ``cvtColor`` and the Y plane of
cameras have it."""
LARGEST_SIDE = 4096
"""Longest side of a network's input, pixels: beyond, a misspelt size would ask for all memory there is."""
_MOST_CHANNELS = 1 << 20
_LONGEST_NAME = 1024
_STRICT = {"extra": "forbid", "strict": True}
S = TypeVar("S")


@dataclass(frozen=True)
class PreprocessSpec:
    """How a decoded image becomes the network's input. Stored in checkpoints and artifacts.

    The network sees ``(pixel - mean) / std`` with ``pixel``, ``mean`` and ``std`` in 0..255 units,
    channels in ``channel_order``, as float32 NCHW.

    Attributes:
        input_size: (height, width) of the network input, pixels.
        resize: ``letterbox`` keeps the aspect ratio and pads; ``stretch`` does not.
        pad_value: 0..255, written into the letterbox border in every channel.
        pad_side: ``bottom_right`` puts the image at the origin; ``center`` splits the border.
        channel_order: ``rgb``, ``bgr`` (as cv2 decodes) or ``gray``: one channel, by :data:`LUMA`.
        mean, std: per channel, in 0..255 units, in ``channel_order``.
        interpolation: OpenCV's of that name; ``auto``: area averaging where an image shrinks, else
            bilinear.

    Raises:
        ValueError: values nothing can be computed with.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    input_size: Size
    resize: Literal["letterbox", "stretch"] = "letterbox"
    pad_value: int = 114
    pad_side: Literal["bottom_right", "center"] = "bottom_right"
    channel_order: ChannelOrder = "rgb"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (255.0, 255.0, 255.0)
    layout: Literal["nchw"] = "nchw"
    dtype: Literal["float32"] = "float32"
    interpolation: Literal["auto", "bilinear", "area", "bicubic", "nearest"] = "auto"

    def __post_init__(self) -> None:
        """Checks the values, not their types: those :meth:`from_dict` checks."""
        if min(self.input_size) < 1:
            raise ValueError("an input size must be positive")
        if max(self.input_size) > LARGEST_SIDE:
            raise ValueError(f"an input size must be at most {LARGEST_SIDE}")
        if not 0 <= self.pad_value <= 255:
            raise ValueError("a pad value must be in 0..255")
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError("mean and std must have one value a channel")
        if not all(map(isfinite, (*self.mean, *self.std))) or not all(self.std):
            raise ValueError("mean and std must be finite, and no std zero")

    @property
    def channels(self) -> int:
        """Number of channels the network sees: 1 or 3."""
        return 1 if self.channel_order == "gray" else 3

    def to_gray(self) -> PreprocessSpec:
        """The same for a network that sees one channel: its mean and std are :func:`luma` of these.

        For the mean that is exact. For the std it is where the channels agree, as they do in images
        without color.
        """
        if self.channels == 1:
            return self
        mean, std = (
            luma(v if self.channel_order == "rgb" else v[::-1]) for v in (self.mean, self.std)
        )
        return replace(self, channel_order="gray", mean=(mean,), std=(std,))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and scalars, for JSON, TOML and checkpoints."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PreprocessSpec:
        """Inverse of :meth:`to_dict`, for values from a file. Raises ValueError on anything else."""
        return _read_strictly(cls, data)


@dataclass(frozen=True)
class OutputSpec:
    """One raw head tensor.

    Attributes:
        name: unique within the model, for example ``cells``.
        kind: what the numbers are: the name of a registered :class:`edgectl.plugins.head.HeadKind`, for
            example ``class_logits``, ``cell_logits``, ``box_distances`` or ``centerness_logits``.
        stride: input pixels per output cell; 0 where the tensor has no grid.
        channels: size of dimension 1 of the NCHW tensor.
        activation: what the postprocess applies to the raw tensor to obtain scores. A backend may
            put it into the file; then ``applied`` is true in that artifact's manifest.
        offset: of distances: the point's place in its cell, 0 the corner, 0.5 the center.

    Raises:
        ValueError: a stride or channels out of bounds, an offset that is not finite, a name that is none.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    name: str
    kind: str
    stride: int
    channels: int
    activation: Literal["none", "sigmoid", "softmax"] = "none"
    applied: bool = False
    offset: float = 0.0

    def __post_init__(self) -> None:
        """Checks the values, not their types: those :meth:`from_dict` checks."""
        if self.stride < 0 or self.channels < 1 or not isfinite(self.offset):
            raise ValueError("stride and channels must be positive, offset finite")
        if self.stride > LARGEST_SIDE or self.channels > _MOST_CHANNELS:
            raise ValueError(
                f"stride must be at most {LARGEST_SIDE}, channels at most {_MOST_CHANNELS}"
            )
        require_name(self.name)
        require_name(self.kind)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and checkpoints."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> OutputSpec:
        """Inverse of :meth:`to_dict`, for values from a file. Raises ValueError on anything else."""
        return _read_strictly(cls, data)


@dataclass(frozen=True)
class OperatingPoint:
    """The score threshold a checkpoint ships with, and where it was chosen.

    Attributes:
        threshold: detections below it are dropped.
        source: for example ``train-holdout (12 images)``.
        metric: value of the criterion at that threshold on that source.

    Raises:
        ValueError: a threshold outside 0..1, a source of several lines.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    threshold: float
    source: str
    metric: float

    def __post_init__(self) -> None:
        """Checks the values, not the types: those :meth:`from_dict` checks."""
        if not 0.0 <= self.threshold <= 1.0:  # not a number is wrong too
            raise ValueError("a threshold must be in 0..1")
        require_name(self.source)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and checkpoints."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> OperatingPoint:
        """Inverse of :meth:`to_dict`, for values from a file. Raises ValueError on anything else."""
        return _read_strictly(cls, data)


def require_name(name: str) -> str:
    """Returns a name that stands in one line everywhere: of a class, an output, a source.

    Raises ValueError for control characters, line ends, halves of characters, and more than 1024 of any.
    """
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"a name must have at most {_LONGEST_NAME} characters")
    if any(map(is_control, name)):
        raise ValueError("a name must hold no control characters")
    return name


def luma(red_green_blue: Sequence[float]) -> float:
    """The gray value of a color, by :data:`LUMA`. Equal channels give their own value exactly."""
    if len(set(red_green_blue)) == 1:
        return red_green_blue[0]
    return sum(w * v for w, v in zip(LUMA, red_green_blue, strict=True))


def require_distinct_outputs(outputs: Sequence[OutputSpec]) -> tuple[OutputSpec, ...]:
    """Returns them. Raises ValueError where there are none, or two have one name."""
    if not outputs:
        raise ValueError("a network must have outputs")
    if len({spec.name for spec in outputs}) != len(outputs):
        raise ValueError("two outputs have one name")
    return tuple(outputs)


def _read_strictly(kind: type[S], data: Any) -> S:
    """As JSON, where arrays may be tuples and integers floats; a wrong or unknown key is an error."""
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(kind).validate_json(json.dumps(data), strict=True)
    except (TypeError, RecursionError) as e:  # values that JSON does not have
        raise ValueError(f"not plain values: {e}") from e
