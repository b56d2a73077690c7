from __future__ import annotations

import json

import pytest

from edgectl.artifacts.artifact import open_artifact, write_manifest
from edgectl.artifacts.manifest import GraphParity, Parity, Tensors
from edgectl.errors import ArtifactError, UsageError
from edgectl.files import MANIFEST, replacing
from edgectl.spec import OperatingPoint, OutputSpec
from edgectl.testing.manifest import make_manifest

TOY = make_manifest(
    operating_point=OperatingPoint(0.5, "train", 1.0),
    parity=Parity(graph=GraphParity(sqnr_db={"cells": 40.0}), runtimes={}),
    tensors=Tensors.from_description({"arena": {"total": 1024}, "words of its own": 1}),
)
REQUIRED = sorted({*TOY.to_dict(), "files"} - {"operating_point"})


@pytest.fixture
def artifact(tmp_path):
    target = tmp_path / "export" / "toy-int8"
    with replacing(target, "artifact") as directory:
        (directory / "model.bin").write_bytes(b"weights")
        write_manifest(directory, TOY)
    return target


def test_round_trip(artifact):
    opened = open_artifact(artifact)
    assert opened.backend == "toy"
    assert opened.model_file.read_bytes() == b"weights"
    assert len(opened.sha256) == 64


def test_a_changed_byte_is_noticed(artifact):
    (artifact / "model.bin").write_bytes(b"Weights")
    with pytest.raises(ArtifactError, match="changed since it was exported"):
        open_artifact(artifact)


def test_a_missing_file_is_noticed(artifact):
    (artifact / "model.bin").unlink()
    with pytest.raises(ArtifactError, match="absent"):
        open_artifact(artifact)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "other/1"}', '{"schema": "edgectl-artifact/1"}', "\x00"]
)
def test_bad_manifest(artifact, text):
    (artifact / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError) as e:
        open_artifact(artifact)
    assert e.value.fix


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((name, None) for name in REQUIRED if name != "schema"),
        ("backend", 3),
        ("status", "half"),
        ("runtime", []),
        ("task", ""),
        ("classes", []),
        ("classes", ["a", 1]),
        ("preprocess", {"input_size": [64, 96], "mean": "x"}),
        ("preprocess", {"input_size": [64, 96], "std": [1.0]}),
        ("preprocess", {"input_size": [64, 96], "gamma": 2.2}),
        ("outputs", []),
        ("outputs", [{"name": "a", "kind": "b", "stride": "8", "channels": 3}]),
        ("outputs", [OutputSpec("a", "b", 8, 2).to_dict()] * 2),
        ("operating_point", {"threshold": "x", "source": "", "metric": 0.0}),
        ("operating_point", {"threshold": float("nan"), "source": "", "metric": 0.0}),
        ("checkpoint", {"path": "x"}),
        ("data", {"name": 3}),
        ("gates", "f1>=1"),
        ("tools", {"python": 3}),
        ("tensors", {"files": ["nothing.bin"]}),
        ("tensors", {"arena": {"total": "big"}}),
        ("metrics", {"float": {}}),
        ("gate", {"metric": "f1"}),
        ("compiler", {"name": "x"}),
        ("files", [{"path": "model.bin"}]),
        ("files", [{"path": "a\x00b", "bytes": 1, "sha256": ""}]),
        ("model", "other.bin"),
    ],
)
def test_a_field_that_cannot_be_used_is_named(artifact, field, value):
    manifest = json.loads((artifact / MANIFEST).read_text())
    (artifact / MANIFEST).write_text(json.dumps({**manifest, field: value}))
    with pytest.raises(ArtifactError, match=f"field '{field}") as e:
        open_artifact(artifact)
    assert len(e.value.message.splitlines()) == 1
    assert e.value.fix


def test_fields_and_sizes_that_are_not_read_or_not_true(artifact):
    path = artifact / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["preprocess"]["channel_order"], manifest["outputs"][0]["offset"]
    path.write_text(json.dumps({**manifest, "of a later version": 1}))
    opened = open_artifact(artifact).manifest
    assert opened.preprocess.channel_order == "rgb"
    assert opened.outputs[0].offset == 0.0
    assert opened.tensors.facts == {"words of its own": 1}
    manifest["files"][0]["bytes"] -= 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="changed since"):
        open_artifact(artifact)
    path.write_text('{"schema": ' + "[" * 100_000)
    with pytest.raises(ArtifactError, match="too deep"):
        open_artifact(artifact)


def test_manifest_may_not_point_outside(artifact):
    (artifact.parent / "secret").write_text("x")
    manifest = json.loads((artifact / MANIFEST).read_text())
    manifest["files"][0]["path"] = manifest["model"] = "../secret"
    (artifact / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match="outside"):
        open_artifact(artifact)


def test_an_interrupted_export_leaves_the_old_artifact(artifact):
    with pytest.raises(KeyboardInterrupt), replacing(artifact, "artifact") as directory:
        (directory / "model.bin").write_bytes(b"half")
        raise KeyboardInterrupt
    assert open_artifact(artifact).model_file.read_bytes() == b"weights"
    assert [p.name for p in artifact.parent.iterdir()] == [artifact.name]


def test_a_second_export_replaces_the_first(artifact):
    with replacing(artifact, "artifact") as directory:
        (directory / "model.bin").write_bytes(b"new")
        write_manifest(directory, TOY)
    assert open_artifact(artifact).model_file.read_bytes() == b"new"
    assert [p.name for p in artifact.parent.iterdir()] == [artifact.name]


def test_what_edgectl_did_not_make_is_never_replaced(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep")
    (mine / MANIFEST).write_text('{"name": "a browser extension"}')
    empty = tmp_path / "empty"
    empty.mkdir()
    for content in ("one", "two"):
        with replacing(empty, "artifact") as directory:
            (directory / "a").write_text(content)
        assert (empty / "a").read_text() == content
    refused = [(mine, "artifact"), (mine / "notes.txt", "artifact"), (empty, "bundle")]
    for target, kind in refused:
        with pytest.raises(UsageError), replacing(target, kind):
            raise AssertionError("refused before any work")
    assert (mine / "notes.txt").read_text() == "keep"
    assert (empty / "a").read_text() == "two", "a bundle never replaces the artifact it is made of"
    (empty / "sub").mkdir()
    (empty / "sub" / "added.txt").write_text("keep")
    with pytest.raises(UsageError, match=r"sub/added\.txt"), replacing(empty, "artifact"):
        raise AssertionError("refused before any work")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "mine"]


def test_what_is_added_while_it_is_made_stays(tmp_path):
    target = tmp_path / "out"
    with pytest.raises(UsageError), replacing(target, "artifact") as directory:
        (directory / "a").write_text("new")
        target.mkdir()
        (target / "notes.txt").write_text("keep")
    assert (target / "notes.txt").read_text() == "keep"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_artifact_of_a_version_without_marks_is_replaced_as_long_as_it_is_only_that(artifact):
    (artifact / ".edgectl").unlink()
    (artifact / "notes.txt").write_text("keep")
    with pytest.raises(UsageError, match="notes"), replacing(artifact, "artifact"):
        raise AssertionError("refused before any work")
    (artifact / "notes.txt").unlink()
    with replacing(artifact, "artifact") as directory:
        (directory / "model.bin").write_bytes(b"new")
    assert (artifact / "model.bin").read_bytes() == b"new"
