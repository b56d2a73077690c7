"""The whole line through the command line, on a small drawn set: train, export, score, QAT, report."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch

from edgectl.cli.app import run
from edgectl.data.catalog.demo import draw_split
from edgectl.errors import EdgectlError
from edgectl.export import finish
from edgectl.qat import trainee
from edgectl.runs.checkpoint import Checkpoint

EXACT = ("integer", "tflm")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A directory with a data set ``set`` and a trained, exported run ``runs/train/small``."""
    pytest.importorskip("tflite_micro")
    root = tmp_path_factory.mktemp("project")
    for key, (split, count) in enumerate({"train": 24, "valid": 8}.items()):
        draw_split(root / "set" / split, count, (0, key))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OMP_NUM_THREADS", "1")
        words = ["--data", "set", "--imgsz", "64", "--epochs", "3", "--weights", "none"]
        extra = ["--name", "small", "--set", "data.holdout=0.2", "--set", "quant.max_drop=1.0"]
        gates = ["--set", "gates=['f1_drop<=1.0', 'bytes<=1e9']"]
        assert run(["train", "fomo", *words, *extra, *gates]) == 0
        assert run(["export", "--backend", "tflite"]) == 0
    return root


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project)
    return project


def document(capsys, *argv):
    capsys.readouterr()
    code = run([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


RUN = "runs/train/small"
ARTIFACT = f"{RUN}/export/tflite-int8"


def test_run_directory(here):
    run_directory = here / RUN
    for name in ("config.resolved.toml", "provenance.json", "events.jsonl", "metrics.json"):
        assert (run_directory / name).stat().st_size > 0
    assert {p.name for p in (run_directory / "checkpoints").iterdir()} == {"best.pt", "last.pt"}
    assert list((run_directory / "plots").glob("*.png"))


def test_exact_runtimes_agree_in_every_element(here):
    manifest = json.loads((here / ARTIFACT / "manifest.json").read_text())
    runtimes = manifest["parity"]["runtimes"]
    assert set(runtimes) == {"litert", "litert-ref", "tflm", "integer"}
    assert all(runtimes[name]["differing"] == 0 for name in EXACT)
    assert manifest["parity"]["graph"]["float_max_abs"] < 1e-3
    assert manifest["parity"]["graph"]["sqnr_db"]["cells"] > 15
    assert manifest["calibration"]["count"] == 24
    assert manifest["tensors"]["arena_bytes"] > 0


def test_the_device_contract(here):
    tensors = json.loads((here / ARTIFACT / "manifest.json").read_text())["tensors"]
    (given,), (out,) = tensors["inputs"], tensors["outputs"]
    assert (given["shape"], given["dtype"]) == ([1, 64, 64, 3], "int8")
    assert (given["scale"], given["zero_point"]) == (pytest.approx(1 / 255), -128)
    assert (out["shape"], out["dtype"]) == ([1, 8, 8, 3], "int8")


def test_configured_gates_and_a_checkpoint_that_is_gone(here, tmp_path, capsys):
    code, parsed = document(capsys, "eval", f"{RUN}/checkpoints/best.pt")
    assert code == 0, "a drop has no meaning for the float network itself"
    assert [g["expr"] for g in parsed["data"]["gates"]] == ["bytes<=1e9"]
    assert any("f1_drop" in w for w in parsed["warnings"])
    code, parsed = document(capsys, "eval", ARTIFACT)
    assert [g["expr"] for g in parsed["data"]["gates"]] == ["f1_drop<=1.0", "bytes<=1e9"]

    alone = tmp_path / "alone"
    shutil.copytree(ARTIFACT, alone)
    manifest = json.loads((alone / "manifest.json").read_text())
    for gates, expected in ((["bytes<=1"], 4), (["f1_drop<=1.0"], 2), (None, 0)):
        document_ = {**manifest, "gates": gates}
        if gates is None:
            del document_["gates"]
        (alone / "manifest.json").write_text(json.dumps(document_))
        code, parsed = document(capsys, "eval", str(alone), "--data", "set")
        assert code == expected
    assert any("gates configured" in w for w in parsed["warnings"])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("task", "detection", "'task'"),
        ("model_config", {"no": "such key"}, "not a configuration of fomo"),
        ("runtime", "abacus", "made to run on 'abacus'"),
    ],
)
def test_a_manifest_its_plugins_cannot_follow(here, tmp_path, capsys, field, value, words):
    alone = tmp_path / "alone"
    shutil.copytree(ARTIFACT, alone)
    manifest = json.loads((alone / "manifest.json").read_text())
    (alone / "manifest.json").write_text(json.dumps({**manifest, field: value}))
    code, parsed = document(capsys, "eval", str(alone), "--data", "set")
    assert code == 5
    assert words in parsed["error"]["message"] and parsed["error"]["fix"]


def test_every_runtime_scores_the_file(here, capsys):
    scores = {}
    for runtime in ("litert", "litert-ref", "tflm", "integer"):
        code, parsed = document(capsys, "eval", ARTIFACT, "--runtime", runtime)
        assert code == 0
        assert parsed["data"]["model"]["runtime"] == runtime
        assert parsed["data"]["against"]["model"]["kind"] == "checkpoint"
        scores[runtime] = parsed["data"]["metrics"]
    assert scores["tflm"] == scores["integer"]


def test_a_run_stands_for_its_newest_file(here, capsys):
    _, of_run = document(capsys, "eval", RUN)
    _, of_checkpoint = document(capsys, "eval", f"{RUN}/checkpoints/best.pt")
    assert of_run["data"]["model"]["kind"] == "artifact"
    assert of_checkpoint["data"]["model"]["kind"] == "checkpoint"


def test_a_failed_gate_shows_its_figures(here, capsys):
    code, parsed = document(capsys, "eval", ARTIFACT, "--gate", "f1>=1.1", "--gate", "f1_drop<=2")
    assert code == parsed["error"]["exit"] == 4
    assert [g["passed"] for g in parsed["data"]["gates"][-2:]] == [False, True]
    assert parsed["data"]["metrics"]["f1"] < 1.1


def test_a_drop_over_the_limit_keeps_the_file_and_says_so(here, capsys, tmp_path):
    words = ["export", RUN, "--backend", "tflite", "--out", str(tmp_path / "out")]
    # no drop at all is allowed, and one image is no calibration
    settings = ["--calib-images", "1", "--set", "quant.observer='minmax'"]
    code, _ = document(capsys, *words, *settings, "--set", "quant.max_drop=0.0")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["gate"]["passed"] is (code == 0)
    assert code in (0, 4)


def test_float_files(here, capsys, tmp_path):
    words = ["export", RUN, "--backend", "tflite", "--precision", "fp32"]
    code, parsed = document(capsys, *words, "--out", str(tmp_path / "float"))
    assert code == 0
    scored = parsed["data"]["metrics"]
    assert scored["file"]["metrics"]["f1"] == scored["float"]["metrics"]["f1"]


def test_qat(here, capsys):
    code, parsed = document(capsys, "qat", RUN, "--backend", "tflite", "--epochs", "1")
    assert code == 0
    data = parsed["data"]
    runtimes = data["parity"]["runtimes"]
    assert all(runtimes[name]["differing"] == 0 for name in EXACT)
    assert data["epochs"] == 1
    code, scored = document(capsys, "eval", data["run"])
    assert code == 0
    assert scored["data"]["metrics"]["f1"] == data["metrics"]["f1"]
    for words in (
        ["export", "--backend", "tflite"],
        ["export", data["run"], "--backend", "tflite"],
    ):
        code, refused = document(capsys, *words)
        assert code == 2, "its integers are in its file already"
        assert RUN in refused["error"]["fix"]


def test_a_bundle_is_checked_and_compared_by_what_the_device_does(here, capsys, tmp_path):
    words = ["deploy", RUN, "--target", "xiao-esp32s3", "--out", str(tmp_path / "bundle")]
    code, parsed = document(capsys, *words)
    assert code == 0
    assert parsed["data"]["fit"]["ram_checked"] and not parsed["warnings"]
    golden = json.loads((tmp_path / "bundle/golden/golden.json").read_text())
    assert (golden["runtime"], golden["exact"]) == ("tflm", True)


def test_qat_holds_back_what_training_held_back(here, capsys, monkeypatch):
    """Whatever its own seed: other images would be ones the network was trained on."""
    trained_on = []

    class Watching:
        def train_batches(self, samples, *args, **options):
            trained_on.append({s.path for s in samples})
            raise EdgectlError("seen enough")

    monkeypatch.setattr(trainee, "load_task", lambda name: Watching())
    words = ["qat", RUN, "--backend", "tflite", "--set", "quant.observer=minmax"]
    for seed in (0, 5):
        assert document(capsys, *words, "--set", f"train.seed={seed}")[0] == 1
    assert trained_on[0] == trained_on[1] and len(trained_on[0]) == 19  # of 24, less a fifth
    code, refused = document(capsys, *words, "--set", "data.holdout=0.4")
    assert code == 2 and "0.2" in refused["error"]["message"]


def test_qat_without_images_names_an_option_it_has(here, capsys):
    code, refused = document(capsys, "qat", RUN, "--backend", "tflite", "--set", "data.name=''")
    assert code == 2
    assert refused["error"]["fix"].startswith("--set data.name=DATA")


def test_a_set_without_validation_images_is_scored_on_a_part_of_train(here, capsys, tmp_path):
    """Training makes a validation split and keeps it; export and QAT score on the same images."""
    shutil.copytree(here / "set" / "train", tmp_path / "bare" / "train")
    data = ["--data", str(tmp_path / "bare"), "--imgsz", "64", "--weights", "none"]
    code, trained = document(capsys, "train", "fomo", *data, "--epochs", "1", "--name", "bare")
    assert code == 0
    code, exported = document(capsys, "export", trained["data"]["run"], "--backend", "tflite")
    assert code == 0 and exported["data"]["parity"]["graph"]["images"] > 0
    scores = exported["data"]["metrics"]
    assert scores["file"]["dataset"]["fingerprint"] == scores["float"]["dataset"]["fingerprint"]
    assert scores["file"]["dataset"]["images"] > 0
    words = ["qat", trained["data"]["run"], "--backend", "tflite", "--epochs", "1"]
    code, tuned = document(capsys, *words, "--name", "bare")
    assert code == 0 and "f1" in tuned["data"]["metrics"]


def test_qat_over_the_limit_is_recorded_and_fails(here, capsys, monkeypatch):
    measure = finish.score_float_and_artifact

    def too_much(*args):
        scores, gate = measure(*args)
        return scores, gate.model_copy(update={"passed": False})

    monkeypatch.setattr(finish, "score_float_and_artifact", too_much)
    words = ["qat", RUN, "--backend", "tflite", "--epochs", "1", "--name", "spoilt"]
    code, parsed = document(capsys, *words)
    assert code == 4
    assert not parsed["data"]["gate"]["passed"]
    code, scored = document(capsys, "eval", parsed["data"]["run"])
    assert code == 0
    assert scored["data"]["metrics"]["f1"] == parsed["data"]["metrics"]["f1"]


def test_report(here, capsys, tmp_path):
    code, parsed = document(capsys, "report", RUN, "--out", str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert code == 0
    assert parsed["data"]["bytes"] == len(page.encode())
    manifest = json.loads((here / ARTIFACT / "manifest.json").read_text())
    assert "tflite int8" in page
    assert manifest["metrics"]["file"]["model"]["sha256"][:12] in page
    assert "data:image/png;base64," in page


def test_another_size_is_refused(here, capsys):
    code, parsed = document(capsys, "export", RUN, "--backend", "tflite", "--imgsz", "96")
    assert code == 2
    assert "64x64" in parsed["error"]["message"]


def test_an_altered_file_is_refused(here, capsys, tmp_path):
    copy = tmp_path / "artifact"
    shutil.copytree(here / ARTIFACT, copy)
    content = bytearray((copy / "model.tflite").read_bytes())
    content[-1] ^= 1
    (copy / "model.tflite").write_bytes(content)
    code, parsed = document(capsys, "eval", str(copy), "--data", "set")
    assert code == 5
    assert "sha256" in parsed["error"]["message"]


def test_a_checkpoint_of_a_family_that_is_not_installed(here, capsys, tmp_path):
    checkpoint = Checkpoint.load(here / RUN / "checkpoints" / "best.pt")
    replace(checkpoint, family="yolo").save(tmp_path / "other.pt")
    code, parsed = document(capsys, "eval", str(tmp_path / "other.pt"))
    assert code == 2
    assert "unknown family 'yolo'" in parsed["error"]["message"]


def test_weights_that_do_not_fit(here, capsys, tmp_path):
    checkpoint = Checkpoint.load(here / RUN / "checkpoints" / "best.pt")
    replace(checkpoint, classes=(*checkpoint.classes, "third")).save(tmp_path / "other.pt")
    assert document(capsys, "eval", str(tmp_path / "other.pt"))[0] == 5


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_a_pickle_with_code_is_refused(here, capsys, tmp_path):
    torch.save({"schema": "edgectl-checkpoint/1", "weights": Evil()}, tmp_path / "evil.pt")
    code, parsed = document(capsys, "eval", str(tmp_path / "evil.pt"))
    assert code == 5
    assert parsed["error"]["fix"]
    # the document is the only thing on stdout, so nothing else was printed


def broken_set(here, tmp_path, name):
    copy = tmp_path / name
    shutil.copytree(here / "set", copy)
    return copy, copy / "train" / "_annotations.coco.json"


@pytest.mark.parametrize("fault", ["truncated", "absent", "not json", "empty", "category"])
def test_bad_data(here, capsys, tmp_path, fault):
    copy, annotations = broken_set(here, tmp_path, "broken")
    content = json.loads(annotations.read_text())
    image = copy / "train" / content["images"][0]["file_name"]
    if fault == "truncated":
        image.write_bytes(image.read_bytes()[:2000])
    elif fault == "absent":
        image.unlink()
    elif fault == "not json":
        annotations.write_text("{not json")
    elif fault == "empty":
        annotations.write_text(json.dumps({**content, "images": [], "annotations": []}))
    else:
        content["annotations"][0]["category_id"] = 77
        annotations.write_text(json.dumps(content))
    before = sorted(p.name for p in (here / "runs" / "train").iterdir())
    words = ["train", "fomo", "--data", str(copy), "--imgsz", "64", "--epochs", "1"]
    code, parsed = document(capsys, *words, "--weights", "none")
    assert code == 5
    assert parsed["error"]["message"]
    assert parsed["error"]["fix"]
    assert sorted(p.name for p in (here / "runs" / "train").iterdir()) == before


def test_boxes_that_can_be_mended_are_warned_of(here, capsys, tmp_path):
    copy, annotations = broken_set(here, tmp_path, "mended")
    content = json.loads(annotations.read_text())
    content["annotations"][0]["bbox"][2] = 0
    content["annotations"][1]["bbox"][0] = -50
    annotations.write_text(json.dumps(content))
    code, parsed = document(capsys, "data", "info", str(copy))
    assert code == 0
    kinds = {r["kind"] for r in parsed["data"]["repairs"]}
    assert "zero_size_box" in kinds
    assert len(parsed["warnings"]) >= 2


def test_an_out_directory_that_cannot_be_written(here, capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    words = ["export", RUN, "--backend", "tflite", "--out", str(tmp_path / "file" / "out")]
    code, parsed = document(capsys, *words)
    assert code == 1
    assert parsed["error"]["fix"]
