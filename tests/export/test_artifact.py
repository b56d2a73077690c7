from __future__ import annotations

import json

import pytest

from edgectl.errors import ArtifactError
from edgectl.export.artifact import MANIFEST, open_artifact, replacing, write_manifest


@pytest.fixture
def artifact(tmp_path):
    target = tmp_path / "export" / "toy-int8"
    with replacing(target) as directory:
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
    with pytest.raises(KeyboardInterrupt), replacing(artifact) as directory:
        (directory / "model.bin").write_bytes(b"half")
        raise KeyboardInterrupt
    assert open_artifact(artifact).model_file.read_bytes() == b"weights"
    assert [p.name for p in artifact.parent.iterdir()] == [artifact.name]


def test_a_second_export_replaces_the_first(artifact):
    with replacing(artifact) as directory:
        (directory / "model.bin").write_bytes(b"new")
        write_manifest(directory, {"backend": "toy", "model": "model.bin"})
    assert open_artifact(artifact).model_file.read_bytes() == b"new"
    assert [p.name for p in artifact.parent.iterdir()] == [artifact.name]
