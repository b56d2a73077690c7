"""Cross entropy over whole images, mixed labels and weights included."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.labels import Targets
from edgectl.nn.joint import joint_total


class ClassificationCriterion(nn.Module):
    """``outputs``: one (N, C) tensor of raw logits.

    Args:
        label_smoothing: share of the truth spread over all classes.
    """

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """``{"loss": scalar}``. Raises ValueError without ``targets.image_labels``."""
        (logits,) = outputs
        if targets.image_labels is None:
            raise ValueError("classification needs Targets.image_labels")
        losses = F.cross_entropy(
            logits,
            targets.image_labels,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        weights = targets.image_weights
        if weights is None:
            return {"loss": losses.mean()}
        return {"loss": (losses * weights).sum() / joint_total(weights.sum())}
