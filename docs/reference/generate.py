"""Writes the reference pages that follow from the code: ``python docs/reference/generate.py [--check]``.

``cli.md``: every command with its options, from the command line itself. ``configuration.md``: every key
with its default, from the configuration's models. ``boards.md``: every board's memory, from the board tables.
With ``--check`` nothing is written, and the exit code is 1 where a page is not current.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel

from edgectl.cli.app import COMMANDS
from edgectl.config.schema import RunConfig
from edgectl.plugins.registry import build_registry

HERE = Path(__file__).parent
NOTE = "<!-- written by docs/reference/generate.py; edit the code instead -->"


def describe_cli() -> str:
    """``cli.md``: a section a command, a row an argument or option."""
    lines = [NOTE, "", "# Commands", ""]
    for name, (entry, _) in COMMANDS.items():
        command = typer.main.get_command(importlib.import_module(entry).app)
        lines += _describe_command(f"edgectl {name}", command)
    return "\n".join(lines)


def _describe_command(path: str, command: Any) -> list[str]:
    children = getattr(command, "commands", {})
    lines = [f"## {path}", "", _as_prose(command.help), ""]
    rows = [p for p in command.params if p.name != "help"]
    if rows and not (children and not command.invoke_without_command):
        lines += ["| argument or option | default | what it does |", "| --- | --- | --- |"]
        lines += [_describe_parameter(p) for p in rows] + [""]
    for line in filter(None, (command.epilog or "").replace("\b", "").splitlines()):
        lines += [_as_prose(line), ""]
    for name, child in children.items():
        lines += _describe_command(f"{path} {name}", child)
    return lines


def _describe_parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
    else:
        name = " ".join(sorted({*parameter.opts, *parameter.secondary_opts}, key=len))
    default = parameter.default
    shown = "" if default in (None, "", ()) or callable(default) else f"`{default}`"
    return (
        f"| `{_cell(name)}` | {_cell(shown)} | {_cell(_as_prose(getattr(parameter, 'help', '')))} |"
    )


def describe_configuration() -> str:
    """``configuration.md``: a row a key."""
    lines = [NOTE, "", "# Configuration", ""]
    lines += [
        "Later layers win: defaults, the family's preset, the user's file, `edgectl.toml`,",
        "`EDGECTL__TABLE__KEY=value`, `--set table.key=value`, flags.",
        "Unknown keys and wrong types are errors.",
        "A family adds its `[model]` table, a backend its `[backend.NAME]` table.",
        "",
        "| key | type | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*lines, *_describe_table("", RunConfig), ""])


def _describe_table(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    described = _read_docstrings(model)
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _describe_table(f"{prefix}{name}.", kind)
            continue
        default = field.get_default(call_default_factory=True)
        meaning = field.description or described.get(name, "")
        row = (f"`{prefix}{name}`", f"`{_type_name(kind)}`", f"`{default!r}`", _as_prose(meaning))
        yield "| " + " | ".join(map(_cell, row)) + " |"


def _read_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Field -> the string below it in the source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, below in itertools.pairwise(tree.body):
        is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if is_text and isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            found[field.target.id] = str(below.value.value)
    return found


def _type_name(kind: Any) -> str:
    """As a reader would write it: bounds left out, None last."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _type_name(parts[0])
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin in (Union, UnionType):
        return " or ".join(_type_name(p) for p in parts)
    if parts:
        return f"{origin.__name__}[{', '.join(_type_name(p) for p in parts)}]"
    return "..." if kind is Ellipsis else "None" if kind is type(None) else kind.__name__


def _as_prose(text: str | None) -> str:
    return " ".join((text or "").replace("\b", "").split())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def describe_boards() -> str:
    """``boards.md``: a row a memory region or camera."""
    lines = [NOTE, "", "# Boards", ""]
    lines += [
        "What `edgectl deploy` counts with. *For a program* is what boot loader, system and drivers leave.",
        "",
        "| board | runs | memory | bytes | for a program | from | |",
        "| --- | --- | --- | ---: | ---: | --- | --- |",
    ]
    for board in sorted(build_registry().boards.infos(), key=lambda b: b.name):
        head = [f"`{board.name}`", ", ".join(f"`{name}`" for name in board.backends)]
        for region in board.memory:
            sizes = [f"{region.size_bytes:,}", f"{region.usable_bytes:,}"]
            note = ", ".join(filter(None, ["external" * region.external, region.note]))
            lines.append(_row([*head, region.name, *sizes, f"[page]({region.source})", note]))
            head = ["", ""]
        if board.camera is not None:
            (height, width), pixels = board.camera.size, board.camera.pixel_format
            frame = f"a frame of {width}x{height} {pixels}, {board.camera.sensor}"
            size = f"{board.camera.nbytes:,}"
            lines.append(_row(["", "", frame, size, "", f"[page]({board.camera.source})", ""]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


PAGES = {
    "cli.md": describe_cli,
    "configuration.md": describe_configuration,
    "boards.md": describe_boards,
}


def main(arguments: list[str]) -> int:
    """Writes or checks every page; returns the exit code."""
    stale = []
    for name, make in PAGES.items():
        text, path = make().rstrip() + "\n", HERE / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    print(f"not current: {', '.join(stale)}" if stale else "current")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
