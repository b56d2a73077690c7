"""``eval`` of a network nobody said how to read: how far it agrees with the float outputs."""

from __future__ import annotations

from pathlib import Path

from edgectl.config.schema import RunConfig
from edgectl.data.formats import looks_like_dataset
from edgectl.data.select.calibration import CalibrationSet, calibration_from_directory
from edgectl.errors import UsageError
from edgectl.evaluation.agreement import MOST_IMAGES, images_of_split, score_agreement
from edgectl.evaluation.evaluate import EvaluationTarget, target_from_source
from edgectl.metrics.report import EvaluationReport
from edgectl.sources.options import Statement
from edgectl.workflows.opening.anything import open_network
from edgectl.workflows.opening.context import Context
from edgectl.workflows.opening.datasets import open_run_data
from edgectl.workflows.opening.models import (
    OpenModel,
    open_for_evaluation,
    open_model,
    state_artifact,
)
from edgectl.workflows.opening.networks import is_network


def evaluate_agreement(
    context: Context,
    model: OpenModel,
    data: str | None,
    split: str | None,
    *,
    runtime: str | None,
    against: Path | None,
) -> EvaluationReport:
    """Compares the outputs of a file with those of the float network it was made of.

    Args:
        data: a labelled set, or any directory of images.
        against: the float network, where it is not beside the file any more.

    Raises:
        UsageError: nothing to compare with, or no images.
    """
    candidate = open_for_evaluation(context.registry, model, runtime=runtime, threshold=None)
    reference = _open_reference(context, model, against)
    context.console.note(
        "no decode rule (--decode): the metric is agreement with the float outputs"
    )
    return score_agreement(candidate, reference, _images(context, data, split))


def _open_reference(context: Context, model: OpenModel, against: Path | None) -> EvaluationTarget:
    registry = context.registry
    if against is not None:
        if not is_network(against):
            other = open_model(registry, against, prefer_artifact=False)
        else:
            said = Statement() if model.artifact is None else state_artifact(model.artifact)
            other = open_network(context, against, said, RunConfig())
        return open_for_evaluation(registry, other, runtime=None, threshold=None)
    if model.artifact is None:
        raise UsageError(
            "without a decode rule a float network can only be compared with another",
            where=str(model.location.path),
            fix="--decode RULE reads its outputs; --against ARTIFACT compares",
        )
    if model.source is None:
        raise UsageError(
            "the float network this file was made of is not here, or is code",
            where=str(model.location.path),
            fix="--against model.onnx or --against module:function",
        )
    return target_from_source(model.source, None)


def _images(context: Context, data: str | None, split: str | None) -> CalibrationSet:
    if data is None:
        raise UsageError(
            "on which images?", where="--data", fix="--data DATA, or any directory of images"
        )
    if Path(data).is_dir() and not looks_like_dataset(Path(data)):
        return calibration_from_directory(Path(data), MOST_IMAGES, 0)
    config = RunConfig()
    index = open_run_data(context, data, config)
    return images_of_split(index, split or config.data.valid_split)
