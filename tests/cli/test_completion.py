"""Tab: what is offered, in the shells' protocols, without loading what a shell would wait for."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edgectl.cli.app import COMMANDS
from edgectl.cli.completion import kept
from edgectl.cli.completion.candidates import list_candidates
from edgectl.cli.completion.index import make_index
from edgectl.plugins.registry import installed

INDEX = make_index(whole=False)


def offered(line: str) -> list[str]:
    *words, start = line.split(" ")
    return [word for word, _ in list_candidates(INDEX, words, start)]


def test_names_of_commands() -> None:
    assert set(offered("")) >= set(COMMANDS)
    assert offered("tra") == ["train"]
    assert offered("data pre") == ["preview"]
    assert offered("quant ") == ["analyze"]


def test_options_those_already_given_left_out() -> None:
    assert {"--data", "--epochs", "--json"} <= set(offered("train --"))
    assert "--data" not in offered("train --data coco_mask --")
    assert "--set" in offered("train --set a=1 --")


def test_names_of_plugins() -> None:
    registry = installed()
    assert offered("export --backend ") == registry.backends.names()
    assert offered("deploy --target ") == registry.boards.names()
    # the conformance kit may have added a family of its own since
    assert {"fcos", "fomo", "resnet", "rtmdet"} <= set(offered("train "))
    assert set(offered("train ")) <= set(registry.families.names())
    family = registry.families.get("fomo")
    variants = sorted(v.name for v in family.variants)
    assert offered(f"train {family.name} --variant ") == variants
    assert offered(f"train {family.name} --variant=") == [f"--variant={v}" for v in variants]
    assert "demo_mask" in offered("train --data ")


def test_keys_a_table_at_a_time_then_values() -> None:
    assert "train." in offered("train --set ")
    assert not [w for w in offered("train --set ") if w.startswith("train.o")]
    assert "train.optimizer." in offered("train --set train.")
    assert offered("train --set train.scale_lr=") == ["train.scale_lr=true", "train.scale_lr=false"]
    assert "train.epochs=100" in offered("train --set train.ep")


def test_a_path_is_left_to_the_shell() -> None:
    assert offered("train --data ./my") == []
    assert offered("train --epochs ") == []


def test_runs_and_what_they_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "runs/train/fomo-001"
    (run / "export/tflite-int8").mkdir(parents=True)
    (run / "export/.tflite-int8.edgectl-1").mkdir()
    monkeypatch.chdir(tmp_path)
    assert offered("eval ru") == ["runs/train/fomo-001"]
    assert offered("eval runs/train/fomo-001/") == ["runs/train/fomo-001/export/tflite-int8"]


def test_index_is_of_the_packages_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path))
    assert kept.read_index() is None
    kept.keep_index(INDEX)
    assert kept.read_index() == INDEX
    monkeypatch.setenv("EDGECTL_PLUGINS", "none")
    assert kept.read_index() is None
    monkeypatch.delenv("EDGECTL_PLUGINS")
    (tmp_path / "completion.json").write_text("{")
    assert kept.read_index() is None


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as m:
        m.setenv("EDGECTL_CACHE", str(directory))
        kept.keep_index(INDEX)
    return directory


def ask(cache: Path, **protocol: str) -> str:
    """What the program prints for a shell, none of the heavy packages loaded."""
    code = (
        "import sys\nfrom edgectl.__main__ import main\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'typer', 'rich', 'pydantic', 'torch', 'numpy'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    environment = {**os.environ, "EDGECTL_CACHE": str(cache), "EDGECTL_DEBUG": "1", **protocol}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


def test_bash(cache: Path) -> None:
    def bash(*words: str) -> list[str]:
        line = "\n".join(("edgectl", *words))
        protocol = {"COMP_WORDS": line, "COMP_CWORD": str(len(words))}
        return ask(cache, _EDGECTL_COMPLETE="complete_bash", **protocol).split()

    assert bash("train", "fo") == ["fomo"]
    assert bash("export", "--backend", "") == installed().backends.names()
    # bash cuts at the sign, and puts the answer behind it
    assert bash("train", "--set", "quant.observer", "=", "m") == ["minmax", "mse"]


def test_zsh_fish_powershell(cache: Path) -> None:
    line = {"_TYPER_COMPLETE_ARGS": "edgectl train fo"}
    zsh = ask(cache, _EDGECTL_COMPLETE="complete_zsh", **line)
    assert zsh.startswith('_arguments \'*: :(("fomo":')
    fish = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert ask(cache, _EDGECTL_COMPLETE="complete_fish", **fish, **line).startswith("fomo\t")
    shell = {"_TYPER_COMPLETE_WORD_TO_COMPLETE": "fo"}
    answer = ask(cache, _EDGECTL_COMPLETE="complete_powershell", **shell, **line)
    assert answer.startswith("fomo:::")
    nothing = {"_TYPER_COMPLETE_ARGS": "edgectl train --data ./x"}
    assert ask(cache, _EDGECTL_COMPLETE="complete_zsh", **nothing) == "_files\n"


def test_processor_time_of_an_answer(cache: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(3):
        ask(
            cache,
            _EDGECTL_COMPLETE="complete_bash",
            COMP_WORDS="edgectl\ntrain\n--",
            COMP_CWORD="2",
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 3
    assert spent < 0.5  # .1 s on an idle machine; typer's own way takes .5 there
