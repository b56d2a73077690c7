"""How far a file's outputs agree with the float network's: the metric of networks nobody said how to read."""

from __future__ import annotations

from edgectl.data.formats.reading.splits import split_name
from edgectl.data.index import DatasetIndex
from edgectl.data.select.calibration import CalibrationSet
from edgectl.evaluation.evaluate import EvaluationTarget, samples_of
from edgectl.metrics.agreement import Agreement
from edgectl.metrics.report import DatasetIdentity, EvaluationReport
from edgectl.spec import TENSORS

_BATCH = 8
MOST_IMAGES = 128
"""Images compared at most: each is run on two networks."""


def score_agreement(
    candidate: EvaluationTarget, reference: EvaluationTarget, images: CalibrationSet
) -> EvaluationReport:
    """Compares the networks' own outputs on images.

    ``agreement``: the share of an output's variation that the candidate follows, the mean over outputs;
    ``top1_agreement`` where an output is a number a class.
    """
    spec = candidate.preprocess
    names = [s.name for s in reference.outputs]
    found = Agreement(names if reference.tail is None else list(reference.tail.outputs))
    same = candidate is reference
    for batch in images.images(spec, _BATCH):
        expected = reference.run(batch)
        found.update(expected if same else candidate.run(batch), expected)
    return EvaluationReport(
        task=TENSORS,
        model=candidate.identity,
        dataset=DatasetIdentity(
            name=images.source,
            split=images.source,
            images=len(images.files),
            fingerprint=images.sha256,
        ),
        metrics=found.compute(),
    )


def images_of_split(index: DatasetIndex, split: str) -> CalibrationSet:
    """The first images of a split, evenly taken where it is long. Raises DataError."""
    samples = samples_of(index, split)
    chosen = samples[:: -(-len(samples) // MOST_IMAGES)]
    return CalibrationSet(
        tuple(s.path for s in chosen), index.fingerprint(split_name(split)), 0, split_name(split)
    )
