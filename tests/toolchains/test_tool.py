from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from edgectl.config.schema import ToolConfig
from edgectl.errors import BackendUnavailableError, ConfigError
from edgectl.plugins.info import ToolInfo
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
    assert find_tool(PYTHON).origin == "[tools.sdk]"


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
    with pytest.raises(ConfigError):
        find_tool(PYTHON)
