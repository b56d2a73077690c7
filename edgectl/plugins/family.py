"""What a model family provides. Structural types: nothing to inherit."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from edgectl.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from torch import Tensor, nn

    from edgectl.labels import Detections, Targets
    from edgectl.spec import OutputSpec, PreprocessSpec, Size


class Criterion(Protocol):
    """The loss of a family. An ``nn.Module`` without parameters."""

    def __call__(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """Raw head tensors and ground truth to named scalar losses; ``loss`` is the one to minimize.

        Must be finite and differentiable when every image of the batch is without objects.
        """
        ...


class Postprocess(Protocol):
    """Raw head tensors to :class:`Detections`. The same object scores the model, the quantized
    graph and the file. ``threshold`` is set from the checkpoint's operating point, where the task
    has one. A detection family has none: its default is the low threshold AP is defined with
    (0.001 in most papers), and whoever shows or ships detections sets a higher one.

    One that suppresses boxes tells devices by an attribute ``overlap`` above which intersection over
    union it does."""

    threshold: float

    def __call__(self, outputs: Sequence[Tensor], specs: Sequence[OutputSpec]) -> list[Detections]:
        """``specs[i].applied`` tells whether ``outputs[i]`` already carries its activation."""
        ...


class Family(Protocol):
    """A model family. Stateless: every method takes the variant's resolved model configuration."""

    config_type: type[BaseModel]
    """Strict pydantic model of the ``[model]`` table."""

    def presets(self, variant: str) -> dict[str, Any]:
        """Configuration layer of a variant: nested tables (``model``, ``train``, ``augment``, ...)."""
        ...

    def build(self, config: Any, *, num_classes: int, in_chans: int = 3) -> nn.Module:
        """The network; ``forward((N, in_chans, H, W)) -> tuple of raw head tensors``, training and export
        alike. ``in_chans``: 3, or 1 for images in gray. A family without it takes color alone."""
        ...

    def preprocess(self, config: Any, input_size: Size) -> PreprocessSpec:
        """What the network wants to see at this size: in color. Core makes a gray spec of it
        (:meth:`~edgectl.spec.PreprocessSpec.to_gray`) where gray is asked for."""
        ...

    def outputs(self, config: Any, *, num_classes: int) -> tuple[OutputSpec, ...]:
        """The raw heads of :meth:`build`, in order."""
        ...

    def criterion(self, config: Any, *, num_classes: int) -> Criterion:
        """The loss QAT trains on as well."""
        ...

    def postprocess(self, config: Any, *, num_classes: int) -> Postprocess:
        """With the family's default threshold."""
        ...

    def load_weights(
        self, model: nn.Module, config: Any, path: Path, *, fold: bool = True
    ) -> dict[str, Any]:
        """Pretrained weights by key. Returns ``{"matched": n, "of": m, "missing": [...]}``;
        raises ArtifactError when nothing matches.

        Args:
            fold: takes the file for one of the published ones, and folds their normalization into the stem
                where it differs from :meth:`preprocess`. Without it the tensors are loaded as they are: the
                caller knows how images are prepared for them. Since 0.3; families without it are asked
                for published files only.

        For a network of one channel, :func:`edgectl.nn.stem.color_stem` sums a color stem.
        """
        ...


def build_network(
    family: Family, name: str, config: Any, *, num_classes: int, in_chans: int
) -> nn.Module:
    """The family's network for images of that many channels.

    Raises ConfigError for gray images and a family that takes color alone.
    """
    if in_chans == 3:
        return family.build(config, num_classes=num_classes)
    if "in_chans" not in inspect.signature(family.build).parameters:
        raise ConfigError(
            f"{name} takes images in color alone",
            where="preprocess.channel_order",
            fix="leave it out, or choose a family whose build() has in_chans",
        )
    return family.build(config, num_classes=num_classes, in_chans=in_chans)
