"""A project of its own for a test: what a user would do, in one process."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

import edgectl
from edgectl.errors import EdgectlError
from edgectl.plugins import manager, registry
from edgectl.plugins.manager import LoadedPlugin, PluginManager
from edgectl.scaffold.render import render
from edgectl.tasks.lookup import load_task

KIT_FAMILY = "kit"
DATA = "set"
"""Name of the drawn set, relative to the project."""
_SPLITS = {"train": 12, "valid": 6}


class Result(Protocol):
    """What the functions of edgectl return."""

    def to_dict(self) -> dict[str, Any]:
        """``data`` of the JSON document."""
        ...


@dataclass(frozen=True)
class Project:
    """A directory with a drawn data set; it is the working directory."""

    path: Path

    def expect(self, verb: Callable[..., Result], *args: Any, **options: Any) -> dict[str, Any]:
        """Calls a function of edgectl; returns its result as the JSON document would hold it."""
        data: dict[str, Any] = json.loads(json.dumps(verb(*args, **options).to_dict(), default=str))
        return data

    def refuse(
        self, verb: Callable[..., Result], *args: Any, code: int, **options: Any
    ) -> EdgectlError:
        """A call that must fail, with one line and the exit code ``code``; returns the error."""
        with pytest.raises(EdgectlError) as caught:
            verb(*args, **options)
        error = caught.value
        assert error.exit_code == code, f"exit code {error.exit_code}: {error}"
        assert error.message and "\n" not in str(error)
        return error

    def draw(self, task: str) -> None:
        """Images and labels for a task, in :data:`DATA`."""
        if (self.path / DATA).exists():
            return
        artist = load_task(task)
        for key, (split, count) in enumerate(_SPLITS.items()):
            artist.draw_example_split(self.path / DATA / split, count, key)

    def train(
        self,
        family: str,
        task: str,
        size: int,
        *,
        set: Mapping[str, Any] | None = None,  # noqa: A002 - the option's name
        **options: Any,
    ) -> Path:
        """One epoch; returns the run's directory."""
        self.draw(task)
        # after one epoch the metric says nothing, and neither does its drop
        settings = {"quant.max_drop": 1.0, "data.holdout": 0.2, **(set or {})}
        run = edgectl.train(
            family, data=DATA, epochs=1, imgsz=size, weights="none", set=settings, **options
        )
        return run.path


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
            found.plugins.append(LoadedPlugin(KIT_FAMILY, "edgectl", edgectl.__version__))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        patch.setattr(manager, "get_manager", with_kit)
        patch.setattr(registry, "get_manager", with_kit)
        yield KIT_FAMILY
        for name in [n for n in sys.modules if n.split(".")[0] == f"edgectl_{KIT_FAMILY}"]:
            del sys.modules[name]
