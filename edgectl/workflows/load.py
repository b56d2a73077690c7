"""Opens a model to run it on pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.data.images.preprocess import decode
from edgectl.evaluation.evaluate import EvaluationTarget
from edgectl.evaluation.predict import find
from edgectl.spec import PreprocessSpec
from edgectl.workflows.arguments import PathLike, read_path
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.models import open_for_evaluation, open_model
from edgectl.workflows.predict import choose_threshold


@dataclass(frozen=True)
class Model:
    """A model that is ready to run. Wherever a model is asked for, it may stand.

    Attributes:
        path: the checkpoint, or the artifact's directory.
        family: what was trained. task: what it does.
        classes: what it tells apart, in label order.
        preprocess: how it wants its images; it prepares them itself.
    """

    path: Path
    family: str
    task: str
    classes: tuple[str, ...]
    preprocess: PreprocessSpec
    target: EvaluationTarget

    def __fspath__(self) -> str:
        return str(self.path)

    def predict(self, image: np.ndarray | PathLike) -> list[dict[str, Any]]:
        """What it finds in one image, best first: ``label``, ``score`` and, of boxes and centers,
        ``box`` [x0, y0, x1, y1] in pixels of the image.

        Args:
            image: a file, or uint8 (H, W, 3) in OpenCV's order: blue, green, red.

        Raises:
            DataError: a file that cannot be read as an image.
        """
        if not isinstance(image, np.ndarray):
            # transparent pixels as in training
            image = decode(Path(image), background=self.preprocess.pad_value)
        return find(self.target, image)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "model": self.target.identity.to_dict(),
            "family": self.family,
            "task": self.task,
            "classes": list(self.classes),
            "preprocess": self.preprocess.to_dict(),
        }


def load(
    model: PathLike | None = None, *, runtime: str | None = None, threshold: float | None = None
) -> Model:
    """Opens a model once, to run it on many images.

    Args:
        model: a run, checkpoint or artifact; a run stands for the file it exported last, where there
            is one. Default: the latest run.
        runtime: one of the backend's; default: its first.
        threshold: of scores, 0 to 1; default: the operating point, for detectors 0.3.

    Raises:
        UsageError, UnknownNameError, ArtifactError: a model or runtime that does not go.
    """
    registry = open_context().registry
    opened = open_model(registry, read_path(model), prefer_artifact=True)
    target = open_for_evaluation(
        registry, opened, runtime=runtime, threshold=choose_threshold(opened, threshold)
    )
    return Model(
        path=opened.location.path,
        family=opened.name,
        task=target.task,
        classes=target.classes,
        preprocess=target.preprocess,
        target=target,
    )
