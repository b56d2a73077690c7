from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from edgectl.cli.app import run
from edgectl.config.schema import ToolConfig
from edgectl.config.trust import trust
from edgectl.errors import BackendUnavailableError, ConfigError
from edgectl.plugins.info import ToolInfo
from edgectl.plugins.registry import build_registry
from edgectl.toolchains.tool import environment_python, find_tool

PYTHON = ToolInfo("sdk", module="json", distribution="pip", fix="ask the vendor")
PROGRAM = ToolInfo("atc", command="no-such-program", fix="install the toolkit")


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))


def test_a_configured_interpreter_tells_its_version():
    tool = find_tool(PYTHON, {"sdk": ToolConfig(python=sys.executable, time_limit=5)})
    assert tool.argv == (sys.executable,) and tool.isolated
    assert tool.version[0].isdigit() and tool.time_limit == 5.0


def test_the_project_file_is_read(tmp_path: Path):
    (tmp_path / "edgectl.toml").write_text(f'[tools.sdk]\npython = "{sys.executable}"\n')
    trust(tmp_path)
    assert find_tool(PYTHON).origin == "[tools.sdk]"


def test_a_project_from_elsewhere_starts_nothing(tmp_path: Path, capsys):
    """Nor does one the user trusts, in commands that only list."""
    marker, evil = tmp_path / "ran", tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch '{marker}'\n")
    evil.chmod(0o755)
    names = [b.tool.name for b in build_registry().backends.infos() if b.tool is not None]
    key = {True: "command", False: "python"}
    infos = [b.tool for b in build_registry().backends.infos() if b.tool is not None]
    tables = [f'[tools.{t.name}]\n{key[bool(t.command)]} = "{evil}"\n' for t in infos]
    file = tmp_path / "edgectl.toml"
    file.write_text("".join(tables))
    for info in infos:
        with pytest.raises(BackendUnavailableError, match="have not allowed") as caught:
            find_tool(info)
        assert "edgectl trust ." in (caught.value.fix or "")
    for words in (["tools", "list"], ["doctor"], ["models"], ["boards"], ["plugins", "list"]):
        run(words)
    assert run(["trust", "--json"]) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])["data"]
    assert {t["name"] for t in said["tools"]} == set(names)
    for words in (["tools", "list"], ["doctor"]):
        run(words)
    assert not marker.exists()
    assert {find_tool(i, start=False).argv[0] for i in infos} == {str(evil)}
    # another file is asked about again, and so is the same one elsewhere
    file.write_text("".join(tables) + "\n")
    with pytest.raises(BackendUnavailableError, match="have not allowed"):
        find_tool(infos[0])


def test_a_damaged_record_trusts_nobody(tmp_path: Path):
    (tmp_path / "edgectl.toml").write_text(f'[tools.sdk]\npython = "{sys.executable}"\n')
    trust(tmp_path)
    for text in ("", "[]", "{", '{"x": []}', "[" * 9000):
        (tmp_path / "config" / "edgectl" / "trusted.json").write_text(text)
        with pytest.raises(BackendUnavailableError, match="have not allowed"):
            find_tool(PYTHON)
    assert run(["trust", str(tmp_path / "config")]) == 2


def test_an_interpreter_without_the_module():
    info = ToolInfo("sdk", module="no_such_module", fix="ask the vendor")
    with pytest.raises(BackendUnavailableError, match="has no module 'no_such_module'") as caught:
        find_tool(info, {"sdk": ToolConfig(python=sys.executable)})
    assert caught.value.fix == "ask the vendor"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n", "not a program"]
)
def test_an_interpreter_that_is_none(tmp_path: Path, text: str):
    fake = tmp_path / "python"
    fake.write_text(text)
    fake.chmod(0o755)
    with pytest.raises(BackendUnavailableError, match="does not work"):
        find_tool(PYTHON, {"sdk": ToolConfig(python=str(fake))})


def test_an_interpreter_that_is_not_there(tmp_path: Path):
    with pytest.raises(BackendUnavailableError, match="no interpreter at"):
        find_tool(PYTHON, {"sdk": ToolConfig(python=str(tmp_path / "gone"))})


def test_nothing_is_set_up():
    with pytest.raises(BackendUnavailableError, match="no interpreter with 'json'"):
        find_tool(PYTHON)
    installable = ToolInfo("sdk", module="json", requirements=("x==1",))
    with pytest.raises(BackendUnavailableError) as caught:
        find_tool(installable)
    assert caught.value.fix == "edgectl tools setup sdk"


def test_an_environment_made_by_setup_is_found():
    python = environment_python("sdk")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert find_tool(PYTHON).origin == "edgectl tools setup"


def test_a_program_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(BackendUnavailableError, match="not on PATH"):
        find_tool(PROGRAM)
    program = tmp_path / "no-such-program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert find_tool(PROGRAM).argv == (str(program),)


def test_a_container():
    words = ("env", "IMAGE=1", "{directory}")
    tool = find_tool(PYTHON, {"sdk": ToolConfig(container=words)})
    assert Path(tool.argv[0]).name == "env" and tool.argv[1:] == words[1:]
    with pytest.raises(BackendUnavailableError, match="'no-docker' is not there"):
        find_tool(PYTHON, {"sdk": ToolConfig(container=("no-docker",))})


@pytest.mark.parametrize("table", ["", 'python = "a"\ncommand = "b"', "pyton = 'a'"])
def test_a_mistake_in_the_table(tmp_path: Path, table: str):
    (tmp_path / "edgectl.toml").write_text(f"[tools.sdk]\n{table}\n")
    trust(tmp_path)
    with pytest.raises(ConfigError):
        find_tool(PYTHON)
