"""Splits a set anew: the same mix of classes and sizes in every part, near-duplicates kept together.

Iterative stratification for images with several labels each (Sechidis, Tsoumakas and Vlahavas, "On
the Stratification of Multi-Label Data", 2011): the rarest label is dealt out first, each time to the part
that lacks most of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from edgectl.data.inspect.groups import group_copies
from edgectl.data.inspect.survey import ImageFacts
from edgectl.labels import Sample

_SIZES = (0.05, 0.2)
"""Object side relative to the image's: small below the first, large from the second on."""


def duplicate_groups(
    facts: Sequence[ImageFacts], seen: Callable[[], None] = lambda: None
) -> list[list[int]]:
    """Indices of ``facts``, those that show the same image together, ordered by their first. Undecodable
    and blank ones stay alone. ``seen`` is called once an image that is compared."""
    known = [i for i, f in enumerate(facts) if f.fingerprint is not None]
    prints = [f.fingerprint for f in facts if f.fingerprint is not None]
    groups = [[known[k] for k in g] for g in group_copies(prints, seen)]
    together = {i for g in groups for i in g}
    return sorted([*groups, *([i] for i in range(len(facts)) if i not in together)])


def stratified(
    samples: Sequence[Sample],
    groups: Sequence[Sequence[int]],
    shares: Mapping[str, float],
    *,
    num_classes: int,
    seed: int,
) -> dict[str, list[int]]:
    """Part -> indices of samples, in order. The same for the same seed.

    shares: part -> share of the images, summing to 1.
    """
    rng = np.random.default_rng((seed, 0x59117))
    counts = np.stack([_counts((samples[i] for i in g), num_classes) for g in groups])
    names = list(shares)
    wanted = np.outer([shares[n] for n in names], counts.sum(axis=0))
    left = set(range(len(groups)))
    parts: dict[str, list[int]] = {n: [] for n in names}
    while left:
        open_groups = sorted(left)
        remaining = counts[open_groups].sum(axis=0)
        # the last column counts images: it deals out what has no other label left
        labels = np.flatnonzero(remaining[:-1])
        label = int(labels[remaining[labels].argmin()]) if len(labels) else counts.shape[1] - 1
        holders = [g for g in open_groups if counts[g, label]]
        order = rng.permutation(len(holders))
        for g in sorted((holders[k] for k in order), key=lambda g: -counts[g, label]):
            need = wanted[:, label] + 1e-6 * wanted[:, -1]
            part = int(need.argmax())
            parts[names[part]] += groups[g]
            wanted[part] -= counts[g]
            left.remove(g)
    return {name: sorted(chosen) for name, chosen in parts.items()}


def _counts(samples: Iterable[Sample], num_classes: int) -> np.ndarray:
    """Objects of each class, of each size, and images: (num_classes + 3 + 1,)."""
    counts = np.zeros(num_classes + len(_SIZES) + 2)
    for s in samples:
        np.add.at(counts, s.class_labels(), 1)
        if len(s.boxes_xyxy):
            side = np.sqrt(s.object_areas() / max(1, s.width * s.height))
            np.add.at(counts, num_classes + np.digitize(side, _SIZES), 1)
        counts[-1] += 1
    return counts
