"""What core's own tasks have in common: images as the spec prepares them, rows with names and scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from edgectl.data.loading.loader import EvalLoader
from edgectl.labels import Sample
from edgectl.metrics.evaluator import EvalBatch
from edgectl.spec import PreprocessSpec
from edgectl.tasks.results import draw_rows, summarize_rows


class ImageTask:
    """The part of :class:`edgectl.tasks.contract.Task` that does not depend on the labels."""

    def eval_batches(
        self, samples: Sequence[Sample], spec: PreprocessSpec, *, batch: int
    ) -> Iterable[EvalBatch]:
        """As the spec prepares them."""
        return EvalLoader(samples, spec, batch)

    def summarize_results(self, rows: Sequence[dict[str, Any]]) -> str:
        """Names and scores."""
        return summarize_rows(rows)

    def draw_results(
        self, image_bgr: np.ndarray, rows: list[dict[str, Any]], classes: Sequence[str]
    ) -> np.ndarray:
        """Names and scores, at their boxes or one under the other."""
        return draw_rows(image_bgr, rows, classes)

    def board_decoder(self) -> None:
        """Core's own."""
