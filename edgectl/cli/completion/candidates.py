"""From the words typed so far to what may come next. Imports nothing but the standard library."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Candidate = tuple[str, str]
"""A word, and what it means in a line, or ''."""


@dataclass
class _Place:
    """Where in the command line the cursor stands."""

    node: dict[str, Any]
    arguments: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    option: str | None = None
    """The option whose value comes next."""


def list_candidates(index: dict[str, Any], words: Sequence[str], start: str) -> list[Candidate]:
    """What may stand in place of ``start``.

    Args:
        index: see :mod:`edgectl.cli.completion.index`.
        words: those before it, without the program's name.
        start: the word under the cursor as far as it is typed.

    Returns:
        Nothing where a path of any kind may stand: the shell completes those best.
    """
    place = _walk(index, words)
    option, sign, value = start.partition("=")
    if place.option is None and sign and option in place.node["options"]:
        found = _values(index, place, place.node["options"][option], value)
        return [(f"{option}={word}", text) for word, text in found]
    if place.option is not None:
        return _values(index, place, place.node["options"][place.option], start)
    if start.startswith("-"):
        return sorted(_options(place, start))
    children = place.node["commands"]
    if children and not place.arguments:
        return _starting({name: child["help"] for name, child in children.items()}, start)
    return _values(index, place, _argument(place), start)


def _walk(index: dict[str, Any], words: Sequence[str]) -> _Place:
    place = _Place(
        {"options": {"--help": None, "--version": None}, "repeated": [], "arguments": [], **index}
    )
    for word in words:
        if place.option is not None:
            place.option = None
            continue
        option, sign, _ = word.partition("=")
        if option.startswith("-") and option in place.node["options"]:
            place.used.add(option)
            if not sign and place.node["options"][option] is not None:
                place.option = option
        elif word in place.node["commands"] and not place.arguments:
            place = _Place(place.node["commands"][word], used=place.used)
        elif not word.startswith("-"):
            place.arguments.append(word)
    return place


def _options(place: _Place, start: str) -> Iterator[Candidate]:
    for spelling in place.node["options"]:
        spent = spelling in place.used and spelling not in place.node["repeated"]
        if spelling.startswith(start) and not spent:
            yield spelling, ""


def _argument(place: _Place) -> str | list[str]:
    """What the next argument is; ``path`` behind the last."""
    wanted = place.node["arguments"]
    at = len(place.arguments)
    if at >= len(wanted):
        return wanted[-1]["takes"] if wanted and wanted[-1]["many"] else "path"
    takes: str | list[str] = wanted[at]["takes"]
    return takes


def _values(
    index: dict[str, Any], place: _Place, kind: str | list[str] | None, start: str
) -> list[Candidate]:
    names = index["names"]
    if isinstance(kind, list):
        return _starting(dict.fromkeys(kind, ""), start)
    if kind == "family":
        return _starting({name: f["help"] for name, f in names["family"].items()}, start)
    if kind == "variant":
        family = place.arguments[0] if place.arguments else ""
        chosen = (
            [names["family"][family]] if family in names["family"] else names["family"].values()
        )
        return _starting({v: s for f in chosen for v, s in f["variants"].items()}, start)
    if kind == "model":
        return [(path, "") for path in _list_models(start)]
    if kind == "setting":
        return [(word, "") for word in _list_settings(index["settings"], start)]
    return _starting(names.get(kind, {}), start)


def _starting(words: dict[str, str], start: str) -> list[Candidate]:
    return sorted((word, text) for word, text in words.items() if word.startswith(start))


def _list_settings(settings: dict[str, list[str]], start: str) -> Iterator[str]:
    """Tables first, a level at a time: ``train.`` rather than its thirty keys."""
    key, sign, _ = start.partition("=")
    if sign:
        yield from (f"{key}={v}" for v in settings.get(key, ()) if f"{key}={v}".startswith(start))
        return
    fitting = [k for k in settings if k.startswith(start)]
    depth = start.count(".")
    tables = sorted(
        {".".join(k.split(".")[: depth + 1]) + "." for k in fitting if k.count(".") > depth}
    )
    keys = [k for k in fitting if k.count(".") == depth]
    if len(tables) == 1 and not keys:
        yield from _list_settings(settings, tables[0])
        return
    yield from tables
    for name in sorted(keys):
        values = settings[name]
        yield from (f"{name}={v}" for v in values) if values else (f"{name}=",)


def _list_models(start: str) -> Iterator[str]:
    """Runs under ``runs/``; of a run named as far as its directory, what it exported."""
    root = Path("runs")
    if not "runs/".startswith(start) and not start.startswith("runs/"):
        return
    for kind in _list_directories(root):
        if kind.name == "latest":
            yield str(kind)
            continue
        for run in _list_directories(kind):
            path = run.as_posix()
            if start.startswith(f"{path}/"):
                yield from (
                    a.as_posix()
                    for a in _list_directories(run / "export")
                    if a.as_posix().startswith(start)
                )
            elif path.startswith(start):
                yield path


def _list_directories(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            found = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    except OSError:
        return []
    return [parent / name for name in sorted(found)]
