"""A fresh environment beside this one, for distributions that are not part of the set-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Environment:
    """A venv that sees the packages of this one as if they were installed there."""

    place: Path

    def run(self, *words: str, cwd: Path, code: int = 0) -> str:
        """The venv's Python with these words."""
        result = subprocess.run(
            [str(self.place / "bin" / "python"), *words],
            cwd=cwd,
            capture_output=True,
            text=True,
            env=self.variables(cwd),
        )
        assert result.returncode == code, result.stdout[-3000:] + result.stderr[-3000:]
        return result.stdout

    def variables(self, cwd: Path) -> dict[str, str]:
        """Of a process in it: one thread, nothing of the user's."""
        path = f"{self.place / 'bin'}{os.pathsep}{os.environ['PATH']}"
        own = {"EDGECTL_CACHE": str(cwd / "cache"), "XDG_CONFIG_HOME": str(cwd / "config")}
        return {**os.environ, **own, "OMP_NUM_THREADS": "1", "PATH": path}

    def edgectl(self, *words: str, cwd: Path, code: int = 0) -> dict[str, Any]:
        """One command; its document."""
        return dict(json.loads(self.run("-m", "edgectl", *words, "--json", cwd=cwd, code=code)))

    def install(self, project: Path, cwd: Path) -> None:
        """A distribution, without its dependencies: they are there."""
        words = ["-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "-q"]
        self.run(*words, str(project), cwd=cwd)

    def uninstall(self, distribution: str, cwd: Path) -> None:
        self.run("-m", "pip", "uninstall", "-y", "-q", distribution, cwd=cwd)

    def test(self, project: Path) -> None:
        """The project's own tests."""
        self.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, with_pip=False, symlinks=True)
    site = next(place.glob("lib/python*/site-packages"))
    ours = next(p for p in sys.path if p.endswith("site-packages"))
    # addsitedir also runs the .pth files of editable installations
    (site / "beside.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    for module in ("edgectl", "pip", "pytest"):
        program = place / "bin" / module
        program.write_text(f'#!/bin/sh\nexec {place}/bin/python -m {module} "$@"\n')
        program.chmod(0o755)
    return Environment(place)
