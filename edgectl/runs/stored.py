"""Specs as files hold them: whether they can be read back. Checkpoints and artifacts go by the same rules."""

from __future__ import annotations

import dataclasses
import json
from math import isfinite
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from edgectl.spec import OperatingPoint, OutputSpec, PreprocessSpec

_CHANNELS = 3  # images are decoded in color, always

T = TypeVar("T")


def is_preprocess(value: Any) -> bool:
    """Whether ``PreprocessSpec.from_dict`` takes it, and the result can be computed with."""
    spec = _read(PreprocessSpec, value)
    if spec is None or not set(value) <= {f.name for f in dataclasses.fields(PreprocessSpec)}:
        return False
    numbers = (*spec.mean, *spec.std)
    return (
        min(spec.input_size) > 0
        and 0 <= spec.pad_value <= 255
        and len(spec.mean) == len(spec.std) == _CHANNELS
        and all(spec.std)
        and all(map(isfinite, numbers))
    )


def are_outputs(value: Any) -> bool:
    """Whether ``OutputSpec.from_dict`` takes each, and names tell them apart."""
    specs = _read(list[OutputSpec], value)
    if not specs:
        return False
    known = {f.name for f in dataclasses.fields(OutputSpec)}
    return (
        all(s.stride >= 0 and s.channels > 0 and isfinite(s.offset) for s in specs)
        and all(set(v) <= known for v in value)
        and len({s.name for s in specs}) == len(specs)
    )


def is_operating_point(value: Any) -> bool:
    """Whether it is one, or None: a model that has none."""
    if value is None:
        return True
    point = _read(OperatingPoint, value)
    return (
        point is not None
        and set(value) == {f.name for f in dataclasses.fields(OperatingPoint)}
        and isfinite(point.threshold)
    )


def _read(kind: type[T], value: Any) -> T | None:
    """Strictly, as JSON, where arrays may be tuples and integers floats."""
    try:
        return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except (ValidationError, TypeError, ValueError, RecursionError):
        return None
