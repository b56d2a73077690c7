from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgectl.__main__ import run
from edgectl.config.trust import trust
from edgectl.data.catalog.demo import draw_split

FAKES = Path(__file__).with_name("fakes")


@dataclass(frozen=True)
class Project:
    """A trained run of two families, and stand-ins for the vendor's programs."""

    path: Path

    def call(self, *words: str) -> tuple[int, dict[str, Any]]:
        with redirect_stdout(io.StringIO()) as out:
            code = run([*words, "--json"])
        return code, json.loads(out.getvalue())

    def with_tools(self, *names: str) -> None:
        """``[tools]`` tables for those named, and no others."""
        tables = {
            "atc": f'command = "{self.path / "atc"}"',
            "amct": f'python = "{self.path / "python"}"',
            "ais_bench": f'python = "{self.path / "python"}"',
        }
        text = "".join(f"[tools.{n}]\n{tables[n]}\n" for n in names)
        (self.path / "edgectl.toml").write_text(text)
        trust(self.path)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    pytest.importorskip("edgectl_fomo", reason="a family is needed to train")
    pytest.importorskip("edgectl_rtmdet", reason="a family is needed to train")
    root = tmp_path_factory.mktemp("ascend")
    for key, (split, count) in enumerate({"train": 12, "valid": 6}.items()):
        draw_split(root / "set" / split, count, (0, key))
    common = ["--data", "set", "--imgsz", "64", "--epochs", "1", "--weights", "none"]
    common += ["--set", "quant.max_drop=1.0", "--set", "data.holdout=0.2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert run(["train", "fomo", *common, "--name", "fomo"]) == 0
        assert run(["train", "rtmdet", *common, "--name", "rtmdet"]) == 0
    for name, words in {
        "python": f"PYTHONPATH={FAKES / 'site'} exec {sys.executable}",
        "atc": f"exec {sys.executable} {FAKES / 'bin' / 'atc.py'}",
    }.items():
        (root / name).write_text(f'#!/bin/sh\n{words} "$@"\n')
        (root / name).chmod(0o755)
    return Project(root)


@pytest.fixture
def project(trained: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(trained.path)
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (trained.path / "edgectl.toml").unlink(missing_ok=True)
    return trained
