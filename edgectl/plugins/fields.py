"""Whether what a plugin registered holds what its fields say.

A wrong type shows here, with the plugin's name, and not as an internal error of whatever command meets it.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_MOST_CHARACTERS = 100_000


def find_mistake(item: Any) -> str:
    """The first field with a value of another type, in words; empty where there is none.

    Types that say no more than that something can be called are not looked at.
    """
    for name, kind in _read_fields(type(item)).items():
        value = getattr(item, name, None)
        if not _fits(value, kind):
            return f"{type(item).__name__}.{name} is {_shown(value)}, not {_said(kind)}"
        if name == "name" and not (isinstance(value, str) and value.isprintable() and value):
            return f"{type(item).__name__}.name is {_shown(value)}, not a name in one line"
    return ""


_known: dict[type, dict[str, Any]] = {}


def _read_fields(kind: type) -> dict[str, Any]:
    if kind not in _known:
        hints = typing.get_type_hints(kind)
        _known[kind] = {f.name: hints[f.name] for f in dataclasses.fields(kind)}
    return _known[kind]


def _fits(value: Any, kind: Any) -> bool:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if kind is None or kind is type(None):
        return value is None
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, a) for a in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, tuple) and _fit_elements(value, arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(k, arguments[0]) and _fits(v, arguments[1]) for k, v in value.items()
        )
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return isinstance(value, origin) and all(_fits(v, arguments[0]) for v in value)
    return _is(value, kind)


def _fit_elements(value: tuple[Any, ...], arguments: tuple[Any, ...]) -> bool:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return all(_fits(v, arguments[0]) for v in value)
    return len(value) == len(arguments) and all(map(_fits, value, arguments))


def _is(value: Any, kind: Any) -> bool:
    """Of classes: an integer is a number too, and a truth value is none."""
    if not isinstance(kind, type):
        return True
    if dataclasses.is_dataclass(kind):
        return isinstance(value, kind) and not find_mistake(value)
    if kind in (int, float):
        numbers: tuple[type, ...] = (int,) if kind is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    if kind is str:
        return isinstance(value, str) and len(value) <= _MOST_CHARACTERS
    if kind in (bool, Path, bytes):
        return isinstance(value, kind)
    return True


def _said(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def _shown(value: Any) -> str:
    text = (
        repr(value) if isinstance(value, int | float | str | bool | None) else type(value).__name__
    )
    return text[:80]
