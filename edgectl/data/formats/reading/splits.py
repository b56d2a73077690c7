"""What a folder, list or file is called after, and the split it means: one table for every format."""

from __future__ import annotations

import re

_MEANINGS = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "default": "train",  # CVAT and Datumaro name the only part of a task so
    "val": "valid",
    "valid": "valid",
    "validate": "valid",
    "validation": "valid",
    "dev": "valid",
    "development": "valid",
    "eval": "valid",
    "test": "test",
    "testing": "test",
    "tst": "test",
}
_AROUND = re.compile(r"^(instances|annotations?|person_keypoints|labels?|gt|obj)[_.\s-]+", re.I)
_YEAR = re.compile(r"[_\s-]?(19|20)\d\d$")


def split_name(name: str) -> str:
    """``Validation`` and ``val2017`` are ``valid`` here; a word that means no split stays as it is."""
    return _MEANINGS.get(_YEAR.sub("", name.strip()).lower(), name)


def is_split(name: str) -> bool:
    """Whether the word means a split."""
    return _YEAR.sub("", name.strip()).lower() in _MEANINGS


def split_of_stem(stem: str) -> str | None:
    """The split in a file's stem: ``instances_val2017``, ``train``, ``labels_train``; None without."""
    bare = _AROUND.sub("", stem)
    if is_split(bare):
        return split_name(bare)
    words = [w for w in re.split(r"[_.\s-]+", stem) if is_split(w)]
    return split_name(words[0]) if len(words) == 1 else None
