"""edgectl's command line in a project of its own: what a user would do, in one process."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgectl import __version__
from edgectl.cli.app import run
from edgectl.plugins import manager, registry
from edgectl.plugins.manager import LoadedPlugin, PluginManager
from edgectl.scaffold.render import render
from edgectl.tasks.lookup import load_task

KIT_FAMILY = "kit"
DATA = "set"
"""Name of the drawn set, relative to the project."""
_SPLITS = {"train": 12, "valid": 6}


@dataclass(frozen=True)
class Project:
    """A directory with a drawn data set. Commands run in it."""

    path: Path

    def run(self, *words: str) -> tuple[int, dict[str, Any]]:
        """One command with --json: its exit code and document."""
        with redirect_stdout(io.StringIO()) as out:
            code = run([*words, "--json"])
        document: dict[str, Any] = json.loads(out.getvalue())
        assert document["schema"] == "edgectl/1"
        assert document["ok"] == (code == 0)
        return code, document

    def expect(self, *words: str, code: int = 0) -> dict[str, Any]:
        """As :meth:`run`; returns ``data`` once the exit code is right."""
        got, document = self.run(*words)
        assert got == code, f"{' '.join(words)}: {document['error']}"
        return dict(document["data"] or {})

    def refuse(self, *words: str, code: int) -> dict[str, Any]:
        """A command that must fail, with one line and a remedy; returns the error."""
        got, document = self.run(*words)
        error = document["error"]
        assert got == code, f"{' '.join(words)}: exit code {got}, {error}"
        assert error["message"] and "\n" not in error["message"]
        return dict(error)

    def draw(self, task: str) -> None:
        """Images and labels for a task, in :data:`DATA`."""
        if (self.path / DATA).exists():
            return
        artist = load_task(task)
        for key, (split, count) in enumerate(_SPLITS.items()):
            artist.draw_example_split(self.path / DATA / split, count, key)

    def train(self, family: str, task: str, size: int, *extra: str) -> str:
        """One epoch; returns the run's directory."""
        self.draw(task)
        words = ["train", family, "--data", DATA, "--epochs", "1", "--imgsz", str(size)]
        # after one epoch the metric says nothing, and neither does its drop
        words += ["--weights", "none", "--set", "quant.max_drop=1.0", "--set", "data.holdout=0.2"]
        return str(self.expect(*words, *extra)["run"])


@contextmanager
def project_in(path: Path) -> Iterator[Project]:
    """Working directory, cache and user configuration inside ``path``; one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.setenv("EDGECTL_CACHE", str(path / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(path / "config"))
        patch.setenv("OMP_NUM_THREADS", "1")
        for name in [n for n in os.environ if n.startswith(("EDGECTL__", "EDGECTL_CONFIG"))]:
            patch.delenv(name)
        yield Project(path)


@contextmanager
def kit_family(directory: Path) -> Iterator[str]:
    """Renders the family template and offers it beside the installed plugins."""
    render("family", KIT_FAMILY, directory)
    original = manager.get_manager

    def with_kit(*args: Any) -> PluginManager:
        found = original(*args)
        if not args:
            module = importlib.import_module(f"edgectl_{KIT_FAMILY}.plugin")
            found.pluggy.register(module, name=KIT_FAMILY)
            found.plugins.append(LoadedPlugin(KIT_FAMILY, "edgectl", __version__))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        patch.setattr(manager, "get_manager", with_kit)
        patch.setattr(registry, "get_manager", with_kit)
        yield KIT_FAMILY
        for name in [n for n in sys.modules if n.split(".")[0] == f"edgectl_{KIT_FAMILY}"]:
            del sys.modules[name]
