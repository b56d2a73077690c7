"""The ``[model]`` table of the classifiers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgectl.config.schema import Probability, StrictModel


class ResnetConfig(StrictModel):
    """Architecture and loss."""

    architecture: Literal["resnet18", "resnet34", "resnet50", "mobilenetv2"] = "resnet18"
    width: Annotated[float, Field(gt=0.0)] = 1.0
    """MobileNetV2's width multiplier."""
    padding: Literal["symmetric", "tensorflow"] = "symmetric"
    """MobileNetV2: tensorflow pads convolutions of stride 2 at the bottom and right only."""
    act_layer: Literal["relu", "relu6"] = "relu"
    """relu for NPUs that lack ReLU6."""
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Before the classifier."""
    label_smoothing: Probability = 0.1
    """Share of the truth spread over all classes (Szegedy et al., 2016, arXiv:1512.00567)."""

    @model_validator(mode="after")
    def _of_mobilenet(self) -> ResnetConfig:
        if self.architecture != "mobilenetv2" and (self.width, self.padding) != (1.0, "symmetric"):
            raise ValueError(f"width and padding belong to mobilenetv2, not to {self.architecture}")
        return self
