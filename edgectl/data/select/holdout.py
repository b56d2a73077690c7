"""The part of *train* that is not trained on: it chooses the operating point and the best epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgectl.labels import Sample

FEWEST = 4
"""Held-back images below which a choice made on them is noise."""
_PASSES = 4


def split_holdout(
    samples: Sequence[Sample], fraction: float, seed: int
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    """(kept, held back), each in the original order; the same for the same seed.

    Images hold very different numbers of objects, so the draw is systematic over the images
    sorted by that number: the part held back is crowded and sparse in the same proportion as the
    whole. Images of one class each are sorted by class instead.
    Every class with two images or more is on both sides. With too few images nothing is
    held back.
    """
    count = round(fraction * len(samples))
    if count < FEWEST:
        return tuple(samples), ()
    rng = np.random.default_rng((seed, 0x401D))
    shuffled = rng.permutation(len(samples)).tolist()
    by_objects = sorted(
        shuffled, key=lambda i: (len(samples[i].labels), samples[i].image_label or 0)
    )
    start = rng.random()
    held = [by_objects[int((k + start) * len(samples) / count)] for k in range(count)]
    holders = {
        label: [i for i in by_objects if label in samples[i].class_labels()]
        for label in _rarest_first(samples)
    }
    # mending one class may harm another where every exchange does: then once more
    for _ in range(_PASSES):
        if not _mend(held, holders, samples):
            break
    chosen = set(held)
    kept = tuple(s for i, s in enumerate(samples) if i not in chosen)
    return kept, tuple(samples[i] for i in sorted(chosen))


def _mend(held: list[int], holders: Mapping[int, Sequence[int]], samples: Sequence[Sample]) -> bool:
    """Brings every class to both sides, rarest first; returns whether anything was exchanged."""
    mended = False
    for having in holders.values():
        inside = {label: sum(i in held for i in h) for label, h in holders.items()}

        def torn(new: int | None, old: int, inside: Mapping[int, int] = inside) -> int:
            """Classes that exchanging the held image ``old`` for ``new`` leaves on one side only."""
            come = set() if new is None else set(samples[new].class_labels().tolist())
            go = set(samples[old].class_labels().tolist())
            last = sum(inside[c] == 1 and len(holders[c]) >= 2 for c in go - come)
            return last + sum(inside[c] + 1 == len(holders[c]) >= 2 for c in come - go)

        found = sum(i in held for i in having)
        # an image with its only class is worth more in training; one with many objects is not
        whole = samples[having[0]].image_label is not None
        if len(having) >= 2 and not found:
            # in place of the held image most like it in its number of objects
            _, _, new, old = min(
                (torn(a, b), abs(len(samples[a].labels) - len(samples[b].labels)), a, b)
                for a in having
                for b in held
            )
            held[held.index(old)] = new
            mended = True
        elif (whole or len(having) >= 2) and found == len(having):
            held.remove(min(having, key=lambda i: torn(None, i)))
            mended = True
    return mended


def _rarest_first(samples: Sequence[Sample]) -> list[int]:
    labels = (
        np.concatenate([s.class_labels() for s in samples]) if samples else np.zeros(0, np.int64)
    )
    names, counts = np.unique(labels, return_counts=True)
    return [int(n) for n in names[np.argsort(counts, kind="stable")]]
