"""A validation split for a set that has none: a part of *train*, alike in classes and sizes, without leaks.

The same for the same images and labels, wherever the set lies, so that every command that opens the set
of a run scores the images which that run did not learn from. Which images are copies takes a look at each;
the outcome is kept in the user's cache directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from edgectl.config.paths import cache_directory
from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.survey import survey
from edgectl.data.select.stratify import duplicate_groups, stratified
from edgectl.files import replacing_file
from edgectl.labels import Sample

SHARE = 0.2
FEWEST = 5
"""Images of *train* below which none can be spared."""
_SEED = 0


def lacks_valid(index: DatasetIndex) -> bool:
    """Whether :func:`make_valid` would make one."""
    return "valid" not in index.splits and len(index.splits.get("train", ())) >= FEWEST


def make_valid(index: DatasetIndex, seen: Callable[[], None] = lambda: None) -> DatasetIndex:
    """The set with a split ``valid``, noted in ``made_splits``; as it was where nothing can be spared:
    all of *train* shows the same, or its part would hold no object. ``seen`` is called once an image.
    """
    train = index.splits["train"]
    chosen = _kept(index, train)
    if chosen is None:
        only = replace(index, splits={"train": train})
        groups = duplicate_groups(survey(only, seen))
        shares = {"train": 1.0 - SHARE, "valid": SHARE}
        parts = stratified(train, groups, shares, num_classes=len(index.classes), seed=_SEED)
        chosen = parts["valid"]
        _keep(index, train, chosen)
    held = set(chosen)
    valid = tuple(train[i] for i in sorted(held))
    rest = tuple(s for i, s in enumerate(train) if i not in held)
    if not all(any(len(s.class_labels()) for s in part) for part in (valid, rest)):
        return index
    how = f"{SHARE:.0%} of train, classes and sizes alike, near-duplicates kept together"
    return replace(
        index,
        splits={**index.splits, "train": rest, "valid": valid},
        made_splits={**index.made_splits, "valid": how},
    )


def _file(index: DatasetIndex, train: Sequence[Sample]) -> Path:
    order = "\0".join(s.path.name for s in train)
    key = hashlib.sha256(f"1 {index.fingerprint('train')} {order}".encode()).hexdigest()
    return cache_directory() / "splits" / f"{key[:24]}.json"


def _kept(index: DatasetIndex, train: Sequence[Sample]) -> list[int] | None:
    try:
        found = json.loads(_file(index, train).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    whole = isinstance(found, list) and all(isinstance(i, int) for i in found)
    return found if whole and all(0 <= i < len(train) for i in found) else None


def _keep(index: DatasetIndex, train: Sequence[Sample], chosen: Sequence[int]) -> None:
    file = _file(index, train)
    # a cache that cannot be written costs time, nothing else
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(file) as f:
            f.write(json.dumps(list(chosen)).encode("ascii"))
