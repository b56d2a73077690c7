"""Images that show the same: within a split they count twice, across splits they leak."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from edgectl.data.inspect.findings import Finding
from edgectl.data.inspect.survey import ImageFacts

LEARNED_FROM = ("train", "valid")
"""What a network, and then its threshold, is chosen on."""


def find_copies(facts: Sequence[ImageFacts], groups: Sequence[Sequence[int]]) -> Iterator[Finding]:
    """A finding a group and split, never one a pair: a fixed camera has millions of these.

    Args:
        groups: indices of ``facts``, as :func:`edgectl.data.inspect.groups.group_copies` gives them.
    """
    for group in groups:
        of_split: dict[str, list[ImageFacts]] = defaultdict(list)
        for i in group:
            of_split[facts[i].split].append(facts[i])
        known = next((n for n in LEARNED_FROM if n in of_split), next(iter(of_split)))
        for split, own in of_split.items():
            if split != known:
                yield _leak(of_split[known], own)
            if len(own) > 1:
                yield _repeated(own)


def _leak(seen: Sequence[ImageFacts], scored: Sequence[ImageFacts]) -> Finding:
    a, b = seen[0], scored[0]
    if len(seen) == len(scored) == 1:
        what = f"{a.split}/{a.path.name} is {b.split}/{b.path.name}"
    else:
        what = (
            f"{_images(len(scored))} of {b.split} and {len(seen)} of {a.split} show the same, "
            f"the first {b.path.name} and {a.path.name}"
        )
    files = tuple(str(f.path) for f in (*scored, *seen))
    return Finding(
        "error", "leakage", str(b.path), f"{what}: {b.split} scores what was seen", files
    )


def _repeated(own: Sequence[ImageFacts]) -> Finding:
    first, second = own[0], own[1]
    detail = f"shows what {first.path.name} shows"
    if len(own) > 2:
        detail = f"this and {_images(len(own) - 2)} more show what {first.path.name} shows"
    return Finding(
        "warning", "near_duplicate", str(second.path), detail, tuple(str(f.path) for f in own)
    )


def _images(count: int) -> str:
    return f"{count} image" + ("" if count == 1 else "s")
