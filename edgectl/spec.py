"""Values every room may name: what goes into a network and what comes out. Frozen and light.

A family and a backend meet only through :class:`OutputSpec`, :class:`PreprocessSpec` and the op set
of ``edgectl.quant.graph``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Size = tuple[int, int]
"""(height, width), everywhere."""
Progress = Callable[[str], None]


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
        kind: what the numbers are: the name of a registered :class:`edgectl.plugins.head.HeadKind`, for
            example ``class_logits``, ``cell_logits``, ``box_distances`` or ``centerness_logits``.
        stride: input pixels per output cell; 0 where the tensor has no grid.
        channels: size of dimension 1 of the NCHW tensor.
        activation: what the postprocess applies to the raw tensor to obtain scores. A backend may
            put it into the file; then ``applied`` is true in that artifact's manifest.
        offset: of distances: the point's place in its cell, 0 the corner, 0.5 the center.
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


@dataclass(frozen=True)
class OperatingPoint:
    """The score threshold a checkpoint ships with, and where it was chosen.

    Attributes:
        threshold: detections below it are dropped.
        source: for example ``train-holdout (12 images)``.
        metric: value of the criterion at that threshold on that source.
    """

    threshold: float
    source: str
    metric: float
