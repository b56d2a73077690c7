"""The part of *train* that is not trained on: it chooses the operating point and the best epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgectl.data.index import Sample

_FEWEST = 4
"""Held-back pictures below which a choice made on them is noise."""


def split_holdout(
    samples: Sequence[Sample], fraction: float, seed: int
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """(kept, held back), each in the original order; the same for the same seed.

    Pictures hold very different numbers of objects, so the draw is systematic over the pictures
    sorted by that number: the part held back is crowded and sparse in the same proportion as the
    whole. Pictures of one class each are sorted by class instead.
    Every class with two pictures or more is on both sides. With too few pictures nothing is
    held back.
    """
    count = round(fraction * len(samples))
    if count < _FEWEST:
        return tuple(samples), ()
    rng = np.random.default_rng((seed, 0x401D))
    shuffled = rng.permutation(len(samples)).tolist()
    by_objects = sorted(
        shuffled, key=lambda i: (len(samples[i].labels), samples[i].image_label or 0)
    )
    start = rng.random()
    held = [by_objects[int((k + start) * len(samples) / count)] for k in range(count)]
    for label in _rarest_first(samples):
        holders = [i for i in by_objects if label in samples[i].class_labels()]
        # a picture with its only class is worth more in training; one with many objects is not
        whole = samples[holders[0]].image_label is not None
        if len(holders) >= 2 and not any(i in held for i in holders):
            _swap_in(held, holders, samples)
        elif (whole or len(holders) >= 2) and all(i in held for i in holders):
            held.remove(holders[0])
    chosen = set(held)
    kept = tuple(s for i, s in enumerate(samples) if i not in chosen)
    return kept, tuple(samples[i] for i in sorted(chosen))


def _swap_in(held: list[int], holders: Sequence[int], samples: Sequence[Sample]) -> None:
    """Replaces the held picture most like a holder in its number of objects."""
    _, new, old = min(
        (abs(len(samples[a].labels) - len(samples[b].labels)), a, b) for a in holders for b in held
    )
    held[held.index(old)] = new


def _rarest_first(samples: Sequence[Sample]) -> list[int]:
    labels = (
        np.concatenate([s.class_labels() for s in samples]) if samples else np.zeros(0, np.int64)
    )
    names, counts = np.unique(labels, return_counts=True)
    return [int(n) for n in names[np.argsort(counts, kind="stable")]]
