"""Makes the index: every command with its options, and every name the plugins and the configuration know.

    {"commands": {NAME: node}, "names": {"family": {...}, "backend": {...}, ...}, "settings": {KEY: [values]}}

A node holds ``help``, ``options`` (spelling -> what its value is: a kind, a list of words, or None for a
flag), ``repeated`` (options that may stand twice), ``arguments`` (what each is) and ``commands``. Kinds:
``family variant backend board dataset model setting path``.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel

from edgectl.cli.app import COMMANDS
from edgectl.cli.argv import GLOBAL_FLAGS
from edgectl.cli.completion.kept import keep_index
from edgectl.config.schema import RunConfig
from edgectl.errors import EdgectlError
from edgectl.plugins.registry import Registry, build_registry, load_object

_KINDS = {
    "family": "family",
    "variant": "variant",
    "backend": "backend",
    "target": "board",
    "data": "dataset",
    "calib": "dataset",
    "against": "model",
    "model": "model",
    "models": "model",
    "resume": "model",
    "run": "model",
    "assignments": "setting",
}
"""What a parameter of this name takes, whatever the command."""
_DEVICES = ["cpu", "cuda", "npu", "mps", "xpu", "auto"]


def make_index(*, whole: bool) -> dict[str, Any]:
    """Describes what may be typed.

    Args:
        whole: with the configuration of families and backends, whose code loads torch.
    """
    registry = build_registry()
    words = {
        "precision": _distinct(i.precisions for i in registry.backends.infos()),
        "runtime": _distinct(i.runtimes for i in registry.backends.infos()),
        "device": _DEVICES,
    }
    entries = {c.name: (c.entry, c.summary) for c in registry.commands.infos()} | COMMANDS
    commands = {}
    for name, (entry, summary) in entries.items():
        command = _load_command(entry, name, builtin=name in COMMANDS)
        commands[name] = _describe(command, words) if command else _node(summary)
    return {
        "commands": commands,
        "names": _names(registry),
        "settings": dict(_settings(registry, whole=whole)),
    }


def keep_whole_index() -> None:
    """For a process of its own, which nobody waits for."""
    keep_index(make_index(whole=True))


def _load_command(entry: str, name: str, *, builtin: bool) -> Any:
    """None for a plugin's command that cannot be imported: its name can be completed all the same."""
    if builtin:
        return typer.main.get_command(importlib.import_module(entry).app)
    try:
        return typer.main.get_command(load_object(entry, name))
    except EdgectlError:
        return None


def _node(summary: str) -> dict[str, Any]:
    return {
        "help": summary,
        "options": dict.fromkeys((*GLOBAL_FLAGS, "--help")),
        "repeated": [],
        "arguments": [],
        "commands": {},
    }


def _describe(command: Any, words: dict[str, list[str]]) -> dict[str, Any]:
    node = _node((command.help or "").split("\n\n")[0].replace("\n", " "))
    for parameter in command.params:
        takes = _value_of(parameter, words)
        if parameter.param_type_name == "argument":
            node["arguments"].append({"takes": takes, "many": parameter.nargs == -1})
            continue
        flag = getattr(parameter, "is_flag", False)
        for spelling in (*parameter.opts, *parameter.secondary_opts):
            node["options"][spelling] = None if flag else takes
            if parameter.multiple:
                node["repeated"].append(spelling)
    for name, child in getattr(command, "commands", {}).items():
        node["commands"][name] = _describe(child, words)
    meant = node["commands"].get(getattr(command, "default_command", ""))
    if meant is not None:
        node["options"] |= meant["options"]
        node["arguments"] = meant["arguments"]
    return node


def _value_of(parameter: Any, words: dict[str, list[str]]) -> str | list[str]:
    return words.get(parameter.name) or _KINDS.get(parameter.name, "path")


def _names(registry: Registry) -> dict[str, Any]:
    families = {
        f.name: {"help": f.summary, "variants": {v.name: v.summary for v in f.variants}}
        for f in registry.families.infos()
    }
    return {
        "family": families,
        "backend": {b.name: b.summary for b in registry.backends.infos()},
        "board": {b.name: b.summary for b in registry.boards.infos()},
        "dataset": {d.name: d.summary for d in registry.datasets.infos()},
    }


def _settings(registry: Registry, *, whole: bool) -> Iterator[tuple[str, list[str]]]:
    """Every key with the values it may have, or its default."""
    yield from _keys("", RunConfig)
    if not whole:
        return
    offers: list[tuple[str, Any]] = [("model.", f) for f in registry.families.infos()]
    offers += [(f"backend.{b.name}.", b) for b in registry.backends.infos()]
    for prefix, info in offers:
        try:
            yield from _keys(prefix, load_object(info.entry, info.name).config_type)
        except (EdgectlError, AttributeError):
            continue  # a plugin that does not load offers nothing; 'edgectl plugins list' says why


def _keys(prefix: str, model: type[BaseModel]) -> Iterator[tuple[str, list[str]]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _keys(f"{prefix}{name}.", kind)
            continue
        words = list(_choices(kind))
        default = field.get_default(call_default_factory=True)
        if not words and isinstance(default, str | int | float):
            words = [str(default)]
        yield f"{prefix}{name}", words


def _choices(kind: Any) -> Iterator[str]:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is bool:
        yield from ("true", "false")
    elif origin is Literal:
        yield from map(str, parts)
    elif origin in (Union, UnionType):
        for part in parts:
            yield from _choices(part)


def _distinct(groups: Any) -> list[str]:
    return list(dict.fromkeys(word for group in groups for word in group))


if __name__ == "__main__":
    keep_whole_index()
