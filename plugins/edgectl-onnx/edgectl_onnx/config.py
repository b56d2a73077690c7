"""The ``[backend.onnx]`` table."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edgectl.config.schema import StrictModel


class OnnxConfig(StrictModel):
    """How the file is written."""

    opset: Annotated[int, Field(ge=9, le=18)] = 17
    """What the exporter can write; readers of vendors tend to want 11 or 13."""
