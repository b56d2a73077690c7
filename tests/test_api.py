"""The commands as functions: what a Python program gets, and that it equals what scripts get."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys

import pytest

import edgectl
from edgectl.cli.app import run as command_line
from edgectl.data.catalog.demo import draw_split
from edgectl.errors import GateFailedError, UsageError
from edgectl.workflows.arguments import read_settings, read_size, spell_options
from edgectl.workflows.fit import fit
from edgectl.workflows.opening.networks import NetworkOptions

PROGRAM = """
import sys
import edgectl
r = edgectl.train("fomo", {training})
a = edgectl.export(r, backend="tflite"{settings})
print(edgectl.evaluate(a).metrics["f1"])
print([m for m in sys.modules if m.startswith("edgectl.cli")])
"""


@pytest.mark.parametrize(
    ("training", "settings"),
    [
        ('data="set", epochs=1, imgsz=64, weights="none"', ', set={"quant.max_drop": 1.0}'),
        pytest.param('data="demo_mask", epochs=2', "", marks=pytest.mark.slow),
    ],
    ids=["drawn", "demo"],
)
def test_a_program_of_its_own(project, tmp_path, training, settings):
    """Needs nothing of the command line, and prints nothing of its own accord."""
    (tmp_path / "set").symlink_to(project / "set", target_is_directory=True)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(training=training, settings=settings)],
        cwd=tmp_path,
        env={**os.environ, "EDGECTL_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=True,
    )
    f1, command_line_modules = done.stdout.splitlines()
    assert 0.0 <= float(f1) <= 1.0
    assert command_line_modules == "[]"
    assert not done.stderr.strip()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A working directory with a drawn set, one thread."""
    pytest.importorskip("edgectl_fomo")
    pytest.importorskip("edgectl_tflite")
    place = tmp_path_factory.mktemp("api")
    draw_split(place / "set" / "train", 12, (0, 0))
    draw_split(place / "set" / "valid", 4, (0, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("OMP_NUM_THREADS", "1")
        yield place


TRAINING = {"data": "set", "epochs": 1, "imgsz": 64, "weights": "none"}
WORDS = ["--data", "set", "--epochs", "1", "--imgsz", "64", "--weights", "none"]
LENIENT = {"quant.max_drop": 1.0, "train.tensorboard": False}


@pytest.fixture(scope="module")
def trained(project):
    return edgectl.train("fomo", **TRAINING, set=LENIENT)


@pytest.fixture(scope="module")
def exported(trained):
    return edgectl.export(trained, backend="tflite")


def data_of(capsys, *words, code=0):
    capsys.readouterr()
    assert command_line([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)["data"]


def as_json(result):
    return json.loads(json.dumps(result.to_dict()))


def test_train_is_the_command(trained, capsys):
    words = ["train", "fomo", *WORDS]
    for key, value in LENIENT.items():
        words += ["--set", f"{key}={json.dumps(value)}"]
    command = data_of(capsys, *words)
    own = as_json(trained)
    assert own.keys() == command.keys()
    for key in ("epochs", "metrics"):
        assert own[key] == command[key]


def test_export_is_the_command(trained, exported, capsys):
    command = data_of(capsys, "export", str(trained.path), "--backend", "tflite", "--out", "again")
    own = as_json(exported)
    assert own.pop("artifact") == str(exported.directory) and command.pop("artifact") == "again"
    models = [[f for f in d.pop("files") if f["path"] == "model.tflite"] for d in (own, command)]
    assert models[0] == models[1]
    for d in (own, command):
        for part in ("float", "file"):
            d["metrics"][part]["model"].pop("path")
    assert own == command


def test_evaluate_is_the_command(exported, capsys):
    found = edgectl.evaluate(exported, against=exported, gate=["f1_drop<=0.01"])
    words = ["eval", str(exported.directory), "--against", str(exported.directory)]
    assert as_json(found) == data_of(capsys, *words, "--gate", "f1_drop<=0.01")
    assert found.passed and found.task == "centroid"
    assert found.metrics == found.to_dict()["metrics"]


def test_deploy_is_the_command(exported, capsys):
    boards = data_of(capsys, "boards")["boards"]
    board = next(b["name"] for b in boards if "tflite" in b["backends"] and not b["firmware"])
    bundle = edgectl.deploy(exported, target=board, out="bundle")
    words = ["deploy", str(exported.directory), "--target", board, "--out", "bundle"]
    assert as_json(bundle) == data_of(capsys, *words)


def test_check_data_is_the_command(project, capsys):
    report = edgectl.check_data("set", imgsz=64)
    code = 5 if report.counts["error"] else 0
    assert as_json(report) == data_of(capsys, "data", "check", "set", "--imgsz", "64", code=code)


def test_predict_and_load_find_the_same(exported, project, capsys):
    image = next((project / "set" / "valid").glob("*.png"), None)
    image = image or next((project / "set" / "valid").glob("*.jpg"))
    found = edgectl.predict(exported, image, threshold=0.01)
    assert edgectl.load(exported, threshold=0.01).predict(image) == found.results[0].found
    words = ["predict", str(exported.directory), str(image), "--threshold", "0.01"]
    assert as_json(found) == data_of(capsys, *words)


def test_what_fails_a_gate_is_not_lost(exported):
    with pytest.raises(GateFailedError) as caught:
        edgectl.evaluate(exported, gate=["f1>=2"])
    assert isinstance(caught.value.result, edgectl.Evaluation)
    assert not caught.value.result.passed


def test_errors_are_those_of_the_command_line(project):
    with pytest.raises(edgectl.errors.UnknownNameError, match="unknown family 'nosuch'"):
        edgectl.train("nosuch", data="set")
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        _ = edgectl.nosuch


def test_verbs_stay_verbs_whatever_is_imported():
    import edgectl.deploy.bundle
    import edgectl.export.stages
    import edgectl.qat.train
    import edgectl.report.page
    import edgectl.train.loop

    verbs = (edgectl.train, edgectl.export, edgectl.deploy, edgectl.qat, edgectl.report)
    assert all(inspect.isfunction(v) for v in verbs)
    assert set(edgectl.__all__) <= set(dir(edgectl))
    assert all(getattr(edgectl, name) is not None for name in edgectl.__all__)


@pytest.mark.parametrize(
    ("function", "command"),
    [
        ("train", "train"),
        ("export", "export"),
        ("qat", "qat"),
        ("evaluate", "eval"),
        ("deploy", "deploy bundle"),
        ("bench", "bench"),
        ("profile", "profile"),
        ("check_data", "data check"),
        ("check_network", "check"),
    ],
)
def test_arguments_are_the_options(function, command):
    """Each option of the command is an argument of the function, and the other way round."""
    import typer

    from edgectl.cli.app import root

    words = command.split()
    found = typer.main.get_command(root)
    context = typer.Context(found, obj=type("Obj", (), {"json": False})())
    for word in words:
        found = found.get_command(context, word)
    options = set()
    for p in found.params:
        name = max(p.opts, key=len).lstrip("-").replace("-", "_")
        options.add({"from": "format", "all": ""}.get(name, name))
    own = set(inspect.signature(getattr(edgectl, function)).parameters)
    if "network" in own:  # one dictionary for what networks of other programs may be told
        own = own - {"network"} | set(NetworkOptions.__annotations__)
    if function == "deploy":  # with --fit another function answers
        asked = set(inspect.signature(fit).parameters) - {"model", "target", "console", "offline"}
        assert asked <= options
        options -= asked | {"fit"}
    assert options - {"help", ""} == own - {"console", "offline", "on_opened"}


def test_sizes_and_settings():
    assert read_size(192) == read_size("192") == read_size((192, 192)) == (192, 192)
    assert read_size((96, 128)) == read_size("96x128") == (96, 128)
    for wrong in (0, -5, (1, 2, 3), "wide", ()):
        with pytest.raises(UsageError):
            read_size(wrong)
    settings = {"a.b": 0.1, "c": "text", "d": True, "e": [0.5, 1.5]}
    assert read_settings(settings) == ["a.b=0.1", 'c="text"', "d=true", "e=[0.5, 1.5]"]
    assert spell_options({"imgsz": (96, 128), "lr": None, "set": ["a=1", "b=2"], "seed": 0}) == [
        *("--imgsz", "96x128", "--set", "a=1", "--set", "b=2", "--seed", "0")
    ]
