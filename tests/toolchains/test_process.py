"""Programs that misbehave, as vendors' programs do."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgectl.toolchains import process
from edgectl.toolchains.process import ToolError, ToolSession, run_job
from edgectl.toolchains.tool import Tool

EVENT = (
    'import json, sys, os, time\ndef say(**k): print(json.dumps({"edgectl": 1, **k}), flush=True)\n'
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(process, "_GRACE_SECONDS", 1.0)
    monkeypatch.setattr(process, "_LINGER_SECONDS", 0.2)


@pytest.fixture
def job(tmp_path: Path):
    def run(program: str, *, time_limit: float = 20.0, output_limit: int = 1 << 20, told=None):
        script = tmp_path / "job.py"
        script.write_text(EVENT + program)
        tool = Tool(
            "vendor",
            (sys.executable,),
            "test",
            isolated=True,
            time_limit=time_limit,
            output_limit=output_limit,
        )
        said = [] if told is None else told
        return run_job(tool, ["job.py"], tmp_path, log=tmp_path / "job.log", progress=said.append)

    return run


def test_progress_and_results(job, tmp_path):
    told = []
    facts = job(
        "print('noise')\nsay(event='progress', message='half')\n"
        "say(event='result', a=1)\nsay(event='result', b=[2])\nopen('out', 'w').write('x')",
        told=told,
    )
    assert (facts, told) == ({"a": 1, "b": [2]}, ["half"])
    assert (tmp_path / "out").read_text() == "x"
    assert "noise" in (tmp_path / "job.log").read_text()


def test_it_is_told_the_protocol_and_kept_from_our_packages(job, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    facts = job("say(event='result', v=os.environ['EDGECTL_JOB'], p=os.environ.get('PYTHONPATH'))")
    assert facts == {"v": "1", "p": None}


def test_an_error_it_reports(job):
    with pytest.raises(ToolError, match="says: no such layer") as caught:
        job("say(event='error', message='no such layer', fix='rename it')\ntime.sleep(60)")
    assert caught.value.fix == "rename it"
    assert caught.value.where.endswith("job.log")


def test_an_exit_code(job):
    with pytest.raises(ToolError, match=r"exit code 7; it said: .*giving up"):
        job("print('giving up'); sys.exit(7)")


def test_a_crash(job):
    with pytest.raises(ToolError, match="killed by SIGSEGV"):
        job("import signal; os.kill(os.getpid(), signal.SIGSEGV)")


def test_a_program_that_hangs_is_stopped_with_all_it_started(job, tmp_path):
    child = "import subprocess\nc = subprocess.Popen(['sleep', '120'])\n"
    begun = time.monotonic()
    with pytest.raises(ToolError, match="did not end within 1 seconds") as caught:
        job(child + "open('pid', 'w').write(str(c.pid))\ntime.sleep(60)", time_limit=1)
    assert time.monotonic() - begun < 100  # the child sleeps for 120
    assert "[tools.vendor]" in caught.value.fix
    assert ends(int((tmp_path / "pid").read_text()))


LEFT = {
    "in its group": "subprocess.Popen(['sleep', '120'])",
    "in a session of its own": "subprocess.Popen(['sleep', '120'], start_new_session=True)",
    "without its variables": "subprocess.Popen(['sleep', '120'], start_new_session=True, env={})",
    "as an orphan": "subprocess.Popen(['sh', '-c', 'setsid sleep 120 & echo $!'])",
    "silent": "subprocess.Popen(['sleep', '120'], stdout=-3, start_new_session=True)",
}


@pytest.mark.parametrize("left", LEFT.values(), ids=list(LEFT))
def test_a_compiler_that_leaves_a_child_is_done_and_the_child_ended(job, tmp_path, left):
    """It may hold the output open, in a session of its own."""
    begun = time.monotonic()
    program = f"import subprocess\nc = {left}\nsay(event='result', pid=c.pid)\nopen('out', 'w')"
    facts = job(program, time_limit=60)
    assert time.monotonic() - begun < 50 and (tmp_path / "out").exists()
    assert ends(facts["pid"])
    if "echo" in left:
        (number,) = [t for t in (tmp_path / "job.log").read_text().split() if t.isdecimal()]
        assert ends(int(number))


def test_what_else_runs_here_is_left_alone(job):
    mine = subprocess.Popen(["sleep", "60"])
    try:
        job("say(event='result', a=1)")
        assert mine.poll() is None
    finally:
        mine.kill()
        mine.wait()


@pytest.mark.parametrize(
    "program",
    [
        "while True: say(event='progress', message='x'); time.sleep(0.001)",
        "while True: print('x'); time.sleep(0.001)",
        "while True: say(event='result', a=1); time.sleep(0.001)",
    ],
    ids=["progress", "noise", "results"],
)
def test_the_limit_holds_while_output_flows(job, program):
    begun = time.monotonic()
    with pytest.raises(ToolError, match="did not end within 1 seconds"):
        job(program, time_limit=1, output_limit=64 << 20)
    assert time.monotonic() - begun < 50


DEEP = [
    "'[' * 200000",
    "'{\"a\":' * 200000",
    "'{\"edgectl\": 1, \"event\": \"result\", \"a\": ' + '[' * 100000 + ']' * 100000 + '}'",
    "'{' * 2000000",
]


@pytest.mark.parametrize("line", DEEP)
def test_deep_or_endless_json_is_garbage(job, line, capfd):
    assert job(f"print({line})\nsay(event='result', a=1)", output_limit=16 << 20) == {"a": 1}
    assert "Traceback" not in capfd.readouterr().err


def ends(pid: int) -> bool:
    """Within seconds: a signal sent is not yet a process gone."""
    status = Path(f"/proc/{pid}/stat")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            state = status.read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_program_that_ignores_the_polite_signal(job):
    program = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)"
    )
    with pytest.raises(ToolError, match="did not end"):
        job(program, time_limit=1)


@pytest.mark.parametrize(
    "program",
    ["while True: print('x' * 1000)", "while True: sys.stdout.write('x' * 1000)"],
    ids=["lines", "one line"],
)
def test_a_program_that_fills_stdout_is_stopped(job, tmp_path, program):
    with pytest.raises(ToolError, match="printed more than 1 MiB"):
        job(program)
    assert (tmp_path / "job.log").stat().st_size < 2 << 20


@pytest.mark.parametrize(
    "line",
    ["b'\\xff\\xfe\\x00\\n'", "b'{\\n'", "b'{}\\n'", "b'[1]\\n'", "b'{\"event\": 3}\\n'"],
)
def test_garbage_is_only_logged(job, line):
    assert job(f"os.write(1, {line})\nsay(event='result', a=1)") == {"a": 1}


def test_another_version_of_the_protocol(job):
    with pytest.raises(ToolError, match="version 2"):
        job("print(json.dumps({'edgectl': 2, 'event': 'result'}))")


def test_a_program_that_is_not_there(tmp_path):
    with pytest.raises(ToolError, match="cannot start"):
        run_job(Tool("v", ("/nowhere/v",), "test"), [], tmp_path, log=tmp_path / "l")


ANSWERS = EVENT + (
    "for line in sys.stdin:\n"
    "    q = json.loads(line)\n"
    "    if q['n'] < 0: sys.exit(3)\n"
    "    say(event='progress', message='working')\n"
    "    say(event='result', n=q['n'] + 1)\n"
)


@pytest.fixture
def session(tmp_path: Path):
    (tmp_path / "serve.py").write_text(ANSWERS)
    tool = Tool("vendor", (sys.executable,), "test", time_limit=10)
    with ToolSession(tool, ["serve.py"], tmp_path, log=tmp_path / "serve.log") as opened:
        yield opened


def test_a_session_answers_request_by_request(session):
    assert [session.request({"n": n}) for n in (1, 5)] == [{"n": 2}, {"n": 6}]


def test_a_session_that_dies_says_so(session):
    assert session.request({"n": 1}) == {"n": 2}
    with pytest.raises(ToolError, match="exit code 3"):
        session.request({"n": -1})


def test_the_directory_is_put_into_a_container_s_words(tmp_path):
    program = "import sys; print(sys.argv[1:])"
    tool = Tool("v", (sys.executable, "-c", program, "-v", "{directory}:{directory}"), "test")
    run_job(tool, ["compile.py"], tmp_path, log=tmp_path / "l")
    place = str(tmp_path.resolve())
    assert f"['-v', '{place}:{place}', 'compile.py']" in (tmp_path / "l").read_text()
