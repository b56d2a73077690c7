"""What an ONNX file or a library says of how images are prepared, and of the classes."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgectl.backends.onnx_file import CLASSES_KEY, PREPROCESS_KEY

if TYPE_CHECKING:
    import onnx

_ULTRALYTICS = "Ultralytics"
_INTERPOLATIONS = {"bilinear": "bilinear", "bicubic": "bicubic", "nearest": "nearest"}


@dataclass(frozen=True)
class Metadata:
    """``preprocess``: fields of a PreprocessSpec, None where nothing is said; ``classes``: names in label
    order; ``decode``: the rule its maker's heads are read by."""

    preprocess: dict[str, Any] | None = None
    classes: tuple[str, ...] = ()
    decode: str = ""
    origin: str = field(default="", compare=False)


def read_metadata(model: onnx.ModelProto) -> Metadata:
    """Of files that edgectl or Ultralytics wrote. Values that make no sense are left out."""
    said = {p.key: p.value for p in model.metadata_props}
    if PREPROCESS_KEY in said:
        return _read_own(said)
    author = f"{said.get('author', '')} {said.get('description', '')}"
    if _ULTRALYTICS.lower() in author.lower():
        return _read_ultralytics(said)
    return Metadata()


def _read_own(said: Mapping[str, str]) -> Metadata:
    try:
        spec = json.loads(said[PREPROCESS_KEY])
        classes = tuple(map(str, json.loads(said.get(CLASSES_KEY, "[]"))))
    except (ValueError, TypeError):
        return Metadata()
    wanted = ("resize", "pad_value", "pad_side", "channel_order", "interpolation")
    if not isinstance(spec, dict):
        return Metadata()
    fields = {k: spec[k] for k in wanted if k in spec}
    fields |= {k: tuple(spec[k]) for k in ("mean", "std") if isinstance(spec.get(k), list)}
    return Metadata(fields, classes, origin="edgectl")


def _read_ultralytics(said: Mapping[str, str]) -> Metadata:
    """Letterboxed in the middle with 114, red first, pixel / 255; classifiers are cropped by their maker
    and normalized so as well."""
    try:
        names = ast.literal_eval(said.get("names", "{}"))  # a dictionary, written as Python does
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        names = {}
    classes = tuple(map(str, names.values())) if isinstance(names, dict) else ()
    fields = {
        "pad_side": "center",
        "channel_order": "rgb",
        "mean": (0.0, 0.0, 0.0),
        "std": (255.0, 255.0, 255.0),
        "interpolation": "bilinear",
        "resize": "stretch" if said.get("task") == "classify" else "letterbox",
    }
    distinct = classes if len(set(classes)) == len(classes) else ()
    return Metadata(fields, distinct, origin=_ULTRALYTICS)


def read_timm(config: Mapping[str, Any]) -> Metadata:
    """Of a timm model's ``pretrained_cfg``."""
    if "mean" not in config or "std" not in config:
        return Metadata()
    return Metadata(_imagenet_fields(config["mean"], config["std"], config.get("interpolation")))


def read_torchvision(transforms: Any) -> Metadata:
    """Of the transforms torchvision's weights come with."""
    mean, std = getattr(transforms, "mean", None), getattr(transforms, "std", None)
    if mean is None or std is None:
        return Metadata()
    how = getattr(getattr(transforms, "interpolation", None), "value", None)
    return Metadata(_imagenet_fields(mean, std, how))


def _imagenet_fields(mean: Any, std: Any, interpolation: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "channel_order": "rgb",
        "mean": tuple(255.0 * float(m) for m in mean),
        "std": tuple(255.0 * float(s) for s in std),
    }
    if interpolation in _INTERPOLATIONS:
        fields["interpolation"] = _INTERPOLATIONS[interpolation]
    return fields
