"""Plugins that return nonsense, never return, hang, or stay: the others work, and the plugin is named."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
import textwrap
import time
import types

import pluggy
import pytest

from edgectl.plugins import fields, hookspecs, manager, patience
from edgectl.plugins.info import (
    BackendInfo,
    BoardInfo,
    DatasetInfo,
    DoctorCheck,
    FamilyInfo,
    VariantInfo,
)
from edgectl.plugins.manager import HOOKS, LoadedPlugin, PluginManager, get_manager
from edgectl.plugins.registry import build_registry

WRONG = [
    None,
    5,
    "text",
    b"bytes",
    (),
    ("a", 5),
    [1],
    {"a": object()},
    float("nan"),
    object(),
    "a\nb",
]


def good_things():
    """One of each kind, as the installed plugins register them."""
    registry = build_registry()
    tables = (getattr(registry, f.name) for f in dataclasses.fields(registry))
    found = [t.infos()[0] for t in tables if hasattr(t, "infos") and t.infos()]
    return [*found, DoctorCheck("x", "ok", "fine")]


def loaded(hook: str, function) -> PluginManager:
    module = types.ModuleType("bad_plugin")
    setattr(module, hook, pluggy.HookimplMarker("edgectl")(function))
    found = pluggy.PluginManager(hookspecs.PROJECT)
    found.register(module, name="bad")
    return PluginManager(found, [LoadedPlugin("bad", "edgectl-bad", "1")])


def test_what_is_installed_is_in_order():
    for thing in good_things():
        assert fields.find_mistake(thing) == ""


def broken_things():
    for thing in good_things():
        for field, value in itertools.product(dataclasses.fields(thing), WRONG):
            bad = dataclasses.replace(thing)
            object.__setattr__(bad, field.name, value)
            yield f"{type(thing).__name__}.{field.name}={value!r:.20}", thing, bad


def test_a_field_of_another_type_is_the_plugin_s_fault_and_named(record_property):
    """Whatever passes does not break what lists it."""
    hooks = {kind: hook for hook, (_, kind) in HOOKS.items()}
    tried, refused = 0, 0
    for words, thing, bad in broken_things():
        tried += 1
        found = loaded(hooks[type(thing)], lambda bad=bad: [bad])
        found.collect(hooks[type(thing)])
        (plugin,) = found.plugins
        if plugin.state == "broken":
            refused += 1
            assert type(thing).__name__ in plugin.reason, words
    record_property("tried", tried)
    assert tried > 500 and refused > tried * 0.7


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (DatasetInfo, "name", 5),
        (DatasetInfo, "directories", (5,)),
        (BoardInfo, "memory", ("big",)),
        (DoctorCheck, "status", 5),
        (BackendInfo, "api", "no"),
        (FamilyInfo, "api", None),
        (FamilyInfo, "variants", ("small",)),
        (VariantInfo, "default_input_size", (64,)),
        (FamilyInfo, "name", "a\x1b[31mb"),
    ],
)
def test_those_that_ended_commands(kind, field, value):
    things = {type(t): t for t in good_things()}
    things[VariantInfo] = things[FamilyInfo].variants[0]
    if field not in {f.name for f in dataclasses.fields(kind)}:
        pytest.skip(f"{kind.__name__} has no {field}")
    bad = dataclasses.replace(things[kind])
    object.__setattr__(bad, field, value)
    assert f"{kind.__name__}.{field}" in fields.find_mistake(bad)


@pytest.mark.parametrize(
    "function",
    [
        lambda: itertools.repeat(DoctorCheck("x", "ok", "")),
        lambda: [5],
        lambda: None,
        lambda: "text",
        lambda: sys.exit(3),
        lambda: 1 / 0,
        lambda: (_ for _ in ()).throw(MemoryError),
        lambda: {DoctorCheck("x", "ok", ""): 1, 5: 2},
    ],
)
def test_a_hook_that_returns_nonsense_or_never_ends(function):
    found = loaded("edgectl_doctor_checks", function)
    assert found.collect("edgectl_doctor_checks") == []
    assert found.plugins[0].state == "broken" and found.plugins[0].reason


class Entry:
    """An entry point of another distribution."""

    name, dist = "builtin", types.SimpleNamespace(name="edgectl-evil", version="1")

    def load(self):
        raise AssertionError("it must not be imported")


def test_nobody_takes_the_place_of_the_built_in(monkeypatch):
    (plugin,) = get_manager([Entry()]).plugins
    assert plugin.state == "broken" and "edgectl's own" in plugin.reason


def test_a_slow_import_is_named(monkeypatch, capsys):
    monkeypatch.setattr(patience, "SECONDS", 0.05)
    with patience.name_the_slow("tortoise", "importing"):
        time.sleep(0.5)
    assert "still importing plugin 'tortoise'" in capsys.readouterr().err
    with patience.name_the_slow("hare", "importing"):
        pass
    assert manager.BUILTIN == "builtin"


LEFT = {
    "a thread": "threading.Thread(target=time.sleep, args=(600,)).start()",
    "atexit": "atexit.register(time.sleep, 600)",
    "both": "threading.Thread(target=time.sleep, args=(600,)).start(); atexit.register(time.sleep, 600)",
}


@pytest.mark.parametrize("left", LEFT.values(), ids=list(LEFT))
def test_what_a_plugin_leaves_running_does_not_keep_the_command(left):
    program = textwrap.dedent(
        f"""
        import atexit, sys, threading, time
        from edgectl.cli import endings
        endings.GRACE_SECONDS = 0.3
        {left}
        print("said")
        endings.end_soon(7)
        sys.exit(7)
        """
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stdout) == (7, b"said\n")


@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-", "0<&-"])
def test_closed_streams(closed, tmp_path):
    """A file opened later does not take the number of one, and get what libraries print."""
    program = textwrap.dedent(
        """
        import os, sys
        from edgectl.cli.endings import occupy_standard_streams
        from edgectl.train.progress import LineReporter
        occupy_standard_streams()
        LineReporter(sys.stderr)._write("line")
        f = open("file", "wb")
        assert f.fileno() > 2
        os.write(2, b"a library's warning")
        f.write(b"content")
        """
    )
    (tmp_path / "p.py").write_text(program)
    script = f"{sys.executable} p.py {closed}"
    code = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, timeout=120, check=False, env=os.environ
    )
    assert code.returncode == 0 and (tmp_path / "file").read_bytes() == b"content"
