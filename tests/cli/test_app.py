from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from edgectl.cli.app import COMMANDS, explain, run
from edgectl.cli.argv import hoist_flags, join_sizes
from edgectl.cli.session import Session
from edgectl.errors import UsageError
from edgectl.workflows.opening.configuration import parse_size


def invoke(capsys, *argv):
    """(exit code, stdout, stderr) of one command line in this process."""
    code = run(argv)
    out = capsys.readouterr()
    return code, out.out, out.err


def document(capsys, *argv):
    code, out, _ = invoke(capsys, *argv, "--json")
    parsed = json.loads(out)
    assert parsed["schema"] == "edgectl/1"
    assert parsed["ok"] is (code == 0)
    return code, parsed


def test_help_imports_nothing_heavy():
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "edgectl", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "edgectl.cli.app" in imported
    assert not imported & {"torch", "cv2", "numpy", "matplotlib", "accelerate"}
    assert all(name in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(capsys, command):
    code, out, _ = invoke(capsys, command, "--help")
    assert code == 0
    assert "Usage" in out


def test_version(capsys):
    assert invoke(capsys, "--version")[1].startswith("edgectl ")


def test_unknown_command(capsys):
    code, _, err = invoke(capsys, "trian")
    assert code == 2
    assert "train" in err


def test_unknown_option_as_json(capsys):
    code, parsed = document(capsys, "models", "--color")
    assert code == 2
    assert parsed["error"]["code"] == "E-USAGE"
    assert parsed["error"]["exit"] == 2


@pytest.mark.parametrize(
    "command", [("models",), ("boards",), ("plugins", "list"), ("data", "list")]
)
def test_listings(capsys, command):
    code, parsed = document(capsys, *command)
    assert code == 0
    assert parsed["command"] == " ".join(command)
    (rows,) = parsed["data"].values()
    assert isinstance(rows, list)


def test_installed_plugins_are_listed(capsys):
    _, parsed = document(capsys, "plugins", "list")
    listed = {p["name"]: p for p in parsed["data"]["plugins"]}
    assert {"builtin", "fomo", "tflite"} <= set(listed)
    assert set(listed["fomo"]) >= {"name", "kind", "distribution", "version", "state"}


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("train",), 2, "which family"),
        (("train", "fom", "--data", "x"), 2, "unknown family 'fom'"),
        (("train", "fomo"), 2, "no data set"),
        (("train", "fomo", "--data", "no_such_set", "--offline"), 2, "unknown data set"),
        (("train", "fomo", "--data", "./nowhere"), 5, "no such file"),
        (("train", "fomo", "--data", "demo_mask", "--imgsz", "100"), 2, "multiple of the stride"),
        (
            ("train", "fomo", "--device", "cpu", "--devices", "3", "--batch", "4"),
            2,
            "cannot be shared",
        ),
        (("train", "fomo", "--set", "train.epoch=3"), 2, "unknown key 'train.epoch'"),
        (("train", "fomo", "--variant", "tiny", "--data", "demo_mask"), 2, "fomo variant 'tiny'"),
        (("train", "--resume", "nowhere"), 2, "no checkpoint"),
        (("eval",), 2, "no run yet"),
        (("eval", "nowhere"), 2, "no such file"),
        (("export", "--backend", "tflite"), 2, "no run yet"),
        (("plugins", "info", "nothing"), 2, "unknown plugin"),
        (("data", "info", "nowhere/at/all"), 5, "no such file"),
    ],
)
def test_mistakes(capsys, tmp_path, monkeypatch, argv, code, words):
    monkeypatch.chdir(tmp_path)
    got, parsed = document(capsys, *argv)
    assert (got, parsed["error"]["exit"]) == (code, code)
    assert words in parsed["error"]["message"]
    assert parsed["error"]["fix"]
    assert list(tmp_path.iterdir()) == []


def test_people_get_one_red_line_and_the_remedy(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = invoke(capsys, "train", "fomo", "--data", "demo_mask", "--imgsz", "100")
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert "fix: --imgsz 96 96 or --imgsz 104 104" in err


def test_init_never_overwrites(capsys, tmp_path):
    assert invoke(capsys, "init", str(tmp_path / "new"))[0] == 0
    written = (tmp_path / "new" / "edgectl.toml").read_text()
    assert "[train]" in written
    code, _, err = invoke(capsys, "init", str(tmp_path / "new"))
    assert code == 2
    assert "exists already" in err
    assert (tmp_path / "new" / "edgectl.toml").read_text() == written


def test_the_template_is_a_valid_configuration(tmp_path):
    from edgectl.cli.commands.init import TEMPLATE
    from edgectl.config.layers import file_layer, resolve

    # comments that are settings must be settings that exist
    lines = [line.removeprefix("# ") for line in TEMPLATE.splitlines()[3:]]
    gates = [line for line in lines if line.startswith("gates")]
    rest = [line for line in lines if not line.startswith("gates")]
    path = tmp_path / "edgectl.toml"
    path.write_text("\n".join([*gates, *rest]))
    config, _ = resolve([file_layer(path)])
    assert config.data.name == "demo_mask"


def test_a_bug_is_one_line_without_debug(capsys, monkeypatch):
    import edgectl.cli.commands.models as module

    def broken():
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(module, "build_registry", broken)
    code, _, err = invoke(capsys, "models")
    assert code == 1
    assert "ZeroDivisionError: oops" in err
    assert "--debug" in err
    assert "Traceback" not in err
    assert "Traceback" in invoke(capsys, "models", "--debug")[2]


def test_ctrl_c(capsys, monkeypatch):
    import edgectl.cli.commands.models as module

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "build_registry", interrupted)
    code, parsed = document(capsys, "models")
    assert code == 130
    assert parsed["error"]["code"] == "E-INTERRUPTED"


def test_flags_are_taken_from_anywhere_but_behind_dashes():
    assert hoist_flags(["train", "--json", "x"]) == (["train", "x"], {"--json"})
    assert hoist_flags(["train", "--", "--json"]) == (["train", "--", "--json"], set())


@pytest.mark.parametrize(
    ("given", "joined"),
    [
        (["--imgsz", "96", "128", "--lr", "1"], ["--imgsz", "96x128", "--lr", "1"]),
        (["--imgsz", "96", "--lr", "1"], ["--imgsz", "96", "--lr", "1"]),
        (["--imgsz", "96"], ["--imgsz", "96"]),
        (["--imgsz"], ["--imgsz"]),
    ],
)
def test_sizes_of_one_or_two_words(given, joined):
    assert join_sizes(given) == joined


@pytest.mark.parametrize(("text", "size"), [("96", (96, 96)), ("96x128", (96, 128))])
def test_parse_size(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "96x", "0", "96x0", "-8", "9.5"])
def test_not_a_size(text):
    with pytest.raises(UsageError):
        parse_size(text)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("models --json >/dev/full", 1),
        ("models --json >&-", 1),
        ("models --json | true", 0),
        ("models | true", 0),
        ("eval /nope --json >/dev/full", 2),
        ("eval /nope --json | true", 2),
        ("eval /nope 2>/dev/full", 2),
    ],
)
def test_output_nobody_can_take_is_no_traceback(line, code):
    shell = f"set -o pipefail; {sys.executable} -m edgectl {line}"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr and "Exception ignored" not in result.stderr


def test_a_terminal_without_utf8():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for words in (["--help"], ["models"]):
        result = subprocess.run(
            [sys.executable, "-m", "edgectl", *words],
            capture_output=True,
            env=environment,
            check=False,
        )
        assert result.returncode == 0, result.stderr


def test_figures_that_are_not_finite_are_null(capsys):
    figures = {"mean": float("nan"), "rows": [(1.0, float("inf"))], "n": 2}
    Session(json=True, data=figures).print_document(None)
    written = json.loads(capsys.readouterr().out)
    assert written["data"] == {"mean": None, "rows": [[1.0, None]], "n": 2}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_command_as_ctrl_c_does(tmp_path, number):
    """One document, exit code 130, and nothing half-written: here while a set is packed."""
    words = ["-m", "edgectl", "data", "pack", "demo_mask", "set.lmdb", "--json"]
    child = subprocess.Popen(
        [sys.executable, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 240
    while not any(tmp_path.iterdir()) and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(number)
    out, _ = child.communicate(timeout=240)
    if child.returncode == 0:
        pytest.skip("was done before the signal came")
    assert child.returncode == 130
    assert json.loads(out)["error"]["exit"] == 130
    assert not list(tmp_path.iterdir())


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pth").write_text("root:x:0:0")
    words = ["train", "fomo", "--data", "demo_mask", "--imgsz", "64", "--weights", "w.pth"]
    code, parsed = document(capsys, *words)
    assert code == 5, parsed["error"]
    assert not (tmp_path / "runs" / "latest").exists()
    assert not list((tmp_path / "runs" / "train").iterdir())
    assert document(capsys, *words, "--seed", str(2**64))[0] == 2


@pytest.mark.parametrize("words", [(), ("data",), ("plugins",), ("tools",)])
def test_no_command_at_all_is_a_document_too(capsys, words):
    code, parsed = document(capsys, *words)
    assert code == 2
    assert parsed["error"]["fix"] == " ".join(("edgectl", *words, "--help"))
    assert "Usage" in invoke(capsys, *words, "--help", "--json")[1]


def test_names_cannot_break_the_line_nor_act_on_the_terminal(capsys):
    code, _, err = invoke(capsys, "train", "fo\x1b[31m\nerror: all is [bold]well[/bold]\u202e")
    assert code == 2
    assert len(err.splitlines()) == 2
    assert r"fo\x1b[31m\nerror: all is [bold]well[/bold]\u202e" in err
    Session().warn("a\nb\rc")
    assert capsys.readouterr().err == "warning: a\\nb\\rc\n"


@pytest.mark.parametrize("error", [PermissionError(13, "no", "x"), OSError(30, "no", "x")])
def test_a_directory_that_cannot_be_written_has_a_remedy(error):
    text, fix, _, status = explain(error)
    assert (text, status) == ("x: no", 1)
    assert "choose a directory" in fix


PLUGINS = {
    "noisy": "print('hello from a plugin')",
    "interrupting": "raise KeyboardInterrupt('one\\n[bold]two[/bold]\\x1b[31m')",
    "commanding": """
from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import CommandInfo

@hookimpl
def edgectl_register_commands():
    print("asked")
    return [CommandInfo("grow", "", "no_such_module:app")]
""",
}


@pytest.fixture
def with_plugins(tmp_path):
    """Runs a command line where these plugins are installed beside the others."""
    information = tmp_path / "unruly-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: unruly\nVersion: 1.0\n")
    entries = "".join(f"{name} = unruly_{name}\n" for name in PLUGINS)
    (information / "entry_points.txt").write_text("[edgectl]\n" + entries)
    for name, code in PLUGINS.items():
        (tmp_path / f"unruly_{name}.py").write_text(code)

    def edgectl(*words):
        return subprocess.run(
            [sys.executable, "-m", "edgectl", *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        )

    return edgectl


def test_plugins_can_neither_end_a_command_nor_write_into_its_document(with_plugins):
    result = with_plugins("plugins", "list", "--json")
    assert result.returncode == 0, result.stderr
    states = {p["name"]: p["state"] for p in json.loads(result.stdout)["data"]["plugins"]}
    assert states["interrupting"] == "broken"
    assert states["noisy"] == states["fomo"] == "ok"
    assert "hello from a plugin" in result.stderr
    shown = with_plugins("plugins", "info", "interrupting")
    assert shown.returncode == 0
    assert r"  KeyboardInterrupt: one [bold]two[/bold]\x1b[31m" in shown.stdout.splitlines()
    assert with_plugins("plugins", "list").returncode == 0


def test_a_plugins_command_that_cannot_be_imported(with_plugins):
    result = with_plugins("grow", "--json")
    assert result.returncode == 6
    assert json.loads(result.stdout)["error"]["code"] == "E-PLUGIN"


INTERRUPTED = """
import atexit, os, signal, sys, time
import edgectl.cli.commands.models as module
from edgectl.__main__ import main
from edgectl.cli.session import Session

def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)

said = Session.fail
Session.fail = lambda *words: (interrupt(), said(*words))
module.build_registry = interrupt
atexit.register(interrupt)
sys.argv[1:] = ["models", "--json"]
main()
"""
INTERRUPTED_IMPORT = """
import os, signal, sys, time

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "edgectl.cli.app":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)

sys.meta_path.insert(0, Finder())
from edgectl.__main__ import main
main()
"""


def test_a_second_ctrl_c_while_the_first_is_told_and_while_python_ends():
    result = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (130, "error: interrupted\n")
    assert json.loads(result.stdout)["error"]["code"] == "E-INTERRUPTED"


def test_ctrl_c_while_the_program_is_imported():
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (130, "error: interrupted\n")


def test_names_of_users_are_no_markup(capsys, tmp_path):
    place = tmp_path / "a[red]b\x1b[2J"
    code, out, _ = invoke(capsys, "init", str(place))
    assert code == 0 and (place / "edgectl.toml").is_file()
    assert "a[red]b\\x1b[2J" in out.replace("\n", "")


def test_the_program_alone_shows_where_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    shown = capsys.readouterr().out
    assert "edgectl demo" in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert run(["--json"]) == 2
