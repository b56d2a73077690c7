"""Plugins that misbehave: each is listed for what it is, and everything else works."""

from __future__ import annotations

import importlib.metadata
import sys
import types

import pytest

from edgectl.errors import Interruption, PluginError, UnknownNameError
from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BoardInfo
from edgectl.plugins.manager import get_manager
from edgectl.plugins.registry import build_registry, load_entry


def board(name, **extra):
    return BoardInfo(name, "a board", ("toy",), (), **extra)


class FakeDistribution:
    def __init__(self, name):
        self.name, self.version = name, "1.2"


@pytest.fixture
def entry(monkeypatch):
    """entry(name, **hooks): an entry point to a module made of these functions."""

    def make(name, *, distribution=None, **hooks):
        module = types.ModuleType(f"fake_{name}")
        for hook, function in hooks.items():
            setattr(module, hook, hookimpl(function))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        point = importlib.metadata.EntryPoint(name, module.__name__, "edgectl")
        return point._for(FakeDistribution(distribution or f"edgectl-{name}"))

    return make


def states(registry):
    return {p.name: p.state for p in registry.plugins}


def registry_of(*entries):
    return build_registry(get_manager(entries))


def good(entry, name="good"):
    return entry(name, edgectl_register_boards=lambda: [board(f"{name}-board")])


def test_a_plugin_that_raises_at_import(entry, tmp_path, monkeypatch):
    (tmp_path / "fake_raising.py").write_text("raise RuntimeError('no driver')\n")
    monkeypatch.syspath_prepend(tmp_path)
    raising = importlib.metadata.EntryPoint("raising", "fake_raising", "edgectl")
    registry = registry_of(raising._for(FakeDistribution("edgectl-raising")), good(entry))
    assert states(registry) == {"raising": "broken", "good": "ok"}
    broken = registry.plugins[0]
    assert "no driver" in broken.reason
    assert "Traceback" in broken.trace
    assert registry.boards.names() == ["good-board"]
    with pytest.raises(PluginError, match="no driver"):
        registry.backends.get("raising")


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt"])
def test_a_plugin_that_ends_the_program_at_import(entry, tmp_path, monkeypatch, error):
    (tmp_path / "fake_exiting.py").write_text(f"raise {error}\n")
    monkeypatch.syspath_prepend(tmp_path)
    exiting = importlib.metadata.EntryPoint("exiting", "fake_exiting", "edgectl")
    registry = registry_of(exiting._for(FakeDistribution("x")), good(entry))
    assert states(registry) == {"exiting": "broken", "good": "ok"}
    with pytest.raises(PluginError, match="cannot be used"):
        load_entry("fake_exiting:Thing", "exiting")


def test_ctrl_c_is_no_fault_of_a_plugin(entry, tmp_path, monkeypatch):
    (tmp_path / "fake_slow.py").write_text(
        "from edgectl.errors import Interruption\nraise Interruption\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    slow = importlib.metadata.EntryPoint("slow", "fake_slow", "edgectl")
    with pytest.raises(Interruption):
        registry_of(slow._for(FakeDistribution("x")))
    with pytest.raises(Interruption):
        load_entry("fake_slow:Thing", "slow")


@pytest.mark.parametrize("error", [ValueError("bad\n  table"), SystemExit(3), KeyboardInterrupt()])
def test_a_hook_that_raises(entry, error):
    def hook():
        raise error

    registry = registry_of(entry("bad", edgectl_register_boards=hook), good(entry))
    assert states(registry) == {"bad": "broken", "good": "ok"}
    assert "\n" not in registry.plugins[0].reason


@pytest.mark.parametrize("returned", [None, 3, ["board"], [{"name": "x"}]])
def test_a_hook_that_returns_something_else(entry, returned):
    bad = entry("bad", edgectl_register_boards=lambda: returned)
    assert states(registry_of(bad, good(entry))) == {"bad": "broken", "good": "ok"}


def test_a_misspelt_hook(entry):
    bad = entry("bad", edgectl_register_board=lambda: [board("x")])
    registry = registry_of(bad, good(entry))
    assert states(registry) == {"bad": "broken", "good": "ok"}
    assert "edgectl_register_boards" in registry.plugins[0].reason


def test_an_api_mismatch_is_skipped(entry):
    new = entry("new", edgectl_register_boards=lambda: [board("x", api=(2, 3))])
    registry = registry_of(new, good(entry))
    assert states(registry) == {"new": "skipped", "good": "ok"}
    assert "API 2..3" in registry.plugins[0].reason
    assert registry.boards.names() == ["good-board"]


def test_two_plugins_claim_a_name(entry):
    one = entry("one", edgectl_register_boards=lambda: [board("same"), board("mine")])
    two = entry("two", edgectl_register_boards=lambda: [board("same")])
    registry = registry_of(one, two)
    with pytest.raises(PluginError, match="edgectl-one and edgectl-two"):
        registry.boards.get("same")
    assert registry.boards.get("mine").name == "mine"


def test_unknown_names_suggest_the_nearest(entry):
    with pytest.raises(UnknownNameError) as e:
        registry_of(good(entry)).boards.get("god-board")
    assert e.value.fix == "did you mean 'good-board'?"


def test_bisecting(entry, monkeypatch):
    entries = [good(entry, "a"), good(entry, "b")]
    monkeypatch.setenv("EDGECTL_PLUGINS", "b")
    assert states(registry_of(*entries)) == {"a": "disabled", "b": "ok"}
    monkeypatch.setenv("EDGECTL_PLUGINS", "none")
    assert states(registry_of(*entries)) == {"a": "disabled", "b": "disabled"}
    monkeypatch.setenv("EDGECTL_PLUGINS", "c")
    with pytest.raises(UnknownNameError):
        registry_of(*entries)


def test_an_entry_that_cannot_be_used():
    with pytest.raises(PluginError, match="cannot be used"):
        load_entry("edgectl.no_such_module:Thing", "toy")
    with pytest.raises(PluginError, match="cannot be used"):
        load_entry("edgectl.spec:NoSuchClass", "toy")
