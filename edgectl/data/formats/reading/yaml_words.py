"""YAML read as words: ``no``, ``007`` and ``1.10`` stay what somebody wrote.

YAML 1.1 takes ``no`` for false and ``007`` for 7; as names of classes they are neither. Built from the
parser's events, with limits, so that a file from outside can neither nest endlessly nor multiply itself
by aliases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from edgectl.errors import DataError

_LARGEST_BYTES = 256 << 20
_DEEPEST = 24
_MOST_ALIASES = 100
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
"""Words that stand for no value."""


def read_yaml(file: Path, fix: str) -> dict[str, Any]:
    """A mapping of words to words, lists and mappings.

    Raises:
        DataError: not YAML, no mapping, or beyond the limits.
    """
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise DataError("over 256 MB of YAML", where=str(file), fix=fix)
        document = _build(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as e:
        first = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise DataError(f"not YAML: {first}", where=str(file), fix=fix) from e
    if not isinstance(document, dict):
        raise DataError("not a YOLO description: no keys", where=str(file), fix=fix)
    return document


def _build(text: str) -> Any:
    """Raises ValueError beyond the limits."""
    top: list[Any] = []
    stack: list[Any] = [top]
    keys: list[Any] = [None]  # of the mapping at the same depth, a key that waits for its value
    anchors: dict[str, Any] = {}
    aliases = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, MappingEndEvent | SequenceEndEvent):
            stack.pop()
            keys.pop()
            continue
        value: Any
        if isinstance(event, ScalarEvent):
            value = event.value
        elif isinstance(event, MappingStartEvent):
            value = {}
        elif isinstance(event, SequenceStartEvent):
            value = []
        elif isinstance(event, AliasEvent):
            aliases += 1
            value = anchors.get(str(event.anchor))
            if aliases > _MOST_ALIASES or value is None:
                raise ValueError(f"the alias *{event.anchor} stands for nothing, or is one of many")
        else:
            continue
        _put(value, stack[-1], keys)
        anchor = getattr(event, "anchor", None)
        if anchor and not isinstance(event, AliasEvent):
            anchors[anchor] = value
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            stack.append(value)
            keys.append(None)
            if len(stack) > _DEEPEST:
                raise ValueError(f"nested deeper than {_DEEPEST}")
    return top[0] if top else None


def _put(value: Any, container: Any, keys: list[Any]) -> None:
    if isinstance(container, list):
        container.append(value)
    elif keys[-1] is None:
        if not isinstance(value, str):
            raise ValueError("a key that is no word")
        keys[-1] = (value,)
    else:
        (key,) = keys[-1]
        if key in container:
            raise ValueError(f"the key '{key[:80]}' is there twice")
        container[key] = value
        keys[-1] = None
