"""Class names that look like one another: a slip of the keyboard makes a class of its own.

Names are compared only where they can be alike: those that are the same without case, spaces and signs, and
those that share their first or second half, as two long words that differ in one letter do. So a million
names take no million times a million comparisons.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

_ALIKE = 0.8
_LONG = 5
_CROWDED = 64
"""Names that share a half, above which the half says nothing (a common prefix)."""


def find_similar_names(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs that are probably one class, each once, in the order of ``names``."""
    plain = ["".join(c for c in n.lower() if c.isalnum()) for n in names]
    same: dict[str, list[int]] = defaultdict(list)
    halves: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, word in enumerate(plain):
        same[word].append(i)
        if len(word) >= _LONG and not any(c.isdigit() for c in word):
            # the shorter half of either: a letter too many moves the middle by one
            half = (len(word) - 1) // 2
            for k in {half, len(word) // 2}:
                halves["first", word[:k]].append(i)
                halves["second", word[-k:]].append(i)
    found = {(a, b) for group in same.values() for a, b in pairwise(group)}
    for group in halves.values():
        if len(group) <= _CROWDED:
            found |= {(a, b) for a, b in _pairs(group) if _is_slip(plain[a], plain[b])}
    for a, b in sorted(found):
        yield names[a], names[b]


def _pairs(group: Sequence[int]) -> Iterable[tuple[int, int]]:
    return ((a, b) for k, a in enumerate(group) for b in group[k + 1 :] if a < b)


def _is_slip(a: str, b: str) -> bool:
    close = a != b and abs(len(a) - len(b)) <= 1
    return close and difflib.SequenceMatcher(None, a, b).ratio() >= _ALIKE
