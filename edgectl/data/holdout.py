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

    Pictures are drawn at random, but the rarest class goes first, so that every class with two
    pictures or more is on both sides. With too few pictures nothing is held back.
    """
    count = round(fraction * len(samples))
    if count < _FEWEST:
        return tuple(samples), ()
    order = np.random.default_rng((seed, 0x401D)).permutation(len(samples)).tolist()
    held: list[int] = []
    for label in _rarest_first(samples):
        holders = [i for i in order if label in samples[i].labels]
        if len(holders) >= 2 and not any(label in samples[i].labels for i in held):
            held.append(holders[0])
    held += [i for i in order if i not in held]
    chosen = set(held[:count])
    kept = tuple(s for i, s in enumerate(samples) if i not in chosen)
    return kept, tuple(samples[i] for i in sorted(chosen))


def _rarest_first(samples: Sequence[Sample]) -> list[int]:
    labels = np.concatenate([s.labels for s in samples]) if samples else np.zeros(0, np.int64)
    names, counts = np.unique(labels, return_counts=True)
    return [int(n) for n in names[np.argsort(counts, kind="stable")]]
