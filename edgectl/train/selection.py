"""Which weights are the best, when the images to judge by are few.

The score on a dozen held-back images is an estimate with a wide error. Taking its maximum over a
run picks a lucky early epoch. So the one-standard-error rule (Breiman et al., Classification and
Regression Trees, 1984, section 3.4.3): later weights, trained longer and at a lower learning rate,
are taken unless they are worse than the best seen by more than one standard error.
"""

from __future__ import annotations

from edgectl.metrics.operating_point import standard_error
from edgectl.train.state import Progress


def consider(progress: Progress, score: float, objects: int, epoch: int) -> bool:
    """Whether the weights of ``epoch`` become the best; brings ``progress`` up to date."""
    if progress.best_score is None or score > progress.best_score:
        progress.best_score = score
        progress.stale = 0
    else:
        progress.stale += 1
    chosen = score >= progress.best_score - standard_error(progress.best_score, objects)
    if chosen:
        progress.best_epoch = epoch
    return chosen
