from __future__ import annotations

import json

import pytest

from edgectl.errors import ArtifactError, UsageError
from edgectl.export.artifact import MANIFEST, open_artifact, write_manifest
from edgectl.export.replacing import replacing


@pytest.fixture
def artifact(tmp_path):
    target = tmp_path / "export" / "toy-int8"
    with replacing(target, "artifact") as directory:
        (directory / "model.bin").write_bytes(b"weights")
        write_manifest(directory, {"backend": "toy", "model": "model.bin"})
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
        write_manifest(directory, {"backend": "toy", "model": "model.bin"})
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
