from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgectl.artifacts.artifact import Artifact, open_artifact
from edgectl.artifacts.manifest import ListedFile, Tensors
from edgectl.deploy.bundle import fit_of, write_bundle
from edgectl.errors import ArtifactError, BackendUnavailableError, GateFailedError, UsageError
from edgectl.labels import Sample
from edgectl.plugins.board import plain_memory
from edgectl.plugins.info import BackendInfo, BoardInfo
from edgectl.spec import OutputSpec, PreprocessSpec
from edgectl.testing.manifest import make_manifest

INFO = BackendInfo("chip", "a chip", "x:Y", ("int8",), ("emulator",))
BOARD = BoardInfo(
    "board", "a board", ("chip",), plain_memory(flash_bytes=1000, ram_bytes=500, source="")
)


class Chip:
    """A backend as far as deployment needs one: twice the mean of each channel."""

    def deploy(self, artifact, manifest, board, directory, *, converted):
        (directory / "main.c").write_text(f"// {board.name}\n")

    def open(self, model_file, *, runtime, specs, preprocess):
        return lambda images: [2.0 * images.mean(axis=(1, 2)).astype(np.float32)]


def stating(artifact, **facts):
    """The same files with other facts."""
    return replace(artifact, manifest=artifact.manifest.model_copy(update=facts))


@pytest.fixture
def artifact(tmp_path):
    directory = tmp_path / "artifact"
    directory.mkdir()
    (directory / "model.bin").write_bytes(b"m" * 600)
    manifest = make_manifest(
        backend="chip",
        files=(ListedFile(path="model.bin", bytes=600, sha256=""),),
        tensors=Tensors(ram_bytes=400),
        preprocess=PreprocessSpec((4, 6)),
        outputs=(OutputSpec("y", "class_logits", 0, 3, "softmax"),),
    )
    return Artifact(directory, manifest)


@pytest.fixture
def sample(tmp_path):
    import cv2

    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.arange(8 * 12 * 3, dtype=np.uint8).reshape(8, 12, 3))
    nothing = np.zeros(0, np.int64)
    return Sample(path, 12, 8, np.zeros((0, 4), np.float32), nothing, nothing.astype(bool))


def test_a_bundle_holds_model_code_and_golden_vectors(artifact, sample, tmp_path):
    bundle = write_bundle(artifact, BOARD, Chip(), INFO, tmp_path / "out", samples=[sample])
    assert {f["path"] for f in bundle.files} == {
        "model.bin", "main.c", "golden/0.rgb", "golden/0.y.npy", "golden/golden.json",
        "README.md", "manifest.json",
    }  # fmt: skip
    golden = json.loads((tmp_path / "out/golden/golden.json").read_text())
    assert golden["shape"] == [4, 6, 3]
    assert (golden["runtime"], golden["exact"]) == ("emulator", False)
    pixels = np.frombuffer((tmp_path / "out/golden/0.rgb").read_bytes(), np.uint8)
    answer = np.load(tmp_path / "out/golden/0.y.npy")
    # the pixels written down are those the answer belongs to
    assert np.allclose(answer, 2.0 * pixels.reshape(4, 6, 3).mean(axis=(0, 1)), atol=1e-4)
    fit = bundle.fit.to_dict()
    assert [p["region"] for p in fit.pop("places")] == ["flash", "RAM"]
    assert fit == {
        "flash_needed": 600, "flash": 1000, "ram_needed": 400, "ram": 500, "ram_unknown": None,
        "ram_checked": True, "passed": True, "note": "",
    }  # fmt: skip


def test_golden_images_of_a_network_of_gray_have_one_channel(artifact, sample, tmp_path):
    gray = stating(
        artifact,
        preprocess=PreprocessSpec((4, 6)).to_gray(),
        outputs=(OutputSpec("y", "class_logits", 0, 1, "softmax"),),
    )
    write_bundle(gray, BOARD, Chip(), INFO, tmp_path / "out", samples=[sample])
    golden = json.loads((tmp_path / "out/golden/golden.json").read_text())
    assert (golden["shape"], golden["channel_order"]) == ([4, 6, 1], "gray")
    pixels = np.fromfile(tmp_path / "out/golden" / golden["entries"][0]["image"], np.uint8)
    assert np.allclose(np.load(tmp_path / "out/golden/0.y.npy"), 2.0 * pixels.mean(), atol=1e-4)
    assert len(pixels) == 4 * 6


@pytest.mark.parametrize(("flash", "ram"), [(599, 500), (1000, 399)])
def test_what_does_not_fit_is_not_written(artifact, tmp_path, flash, ram):
    board = BoardInfo(
        "small",
        "a small board",
        ("chip",),
        plain_memory(flash_bytes=flash, ram_bytes=ram, source=""),
    )
    with pytest.raises(GateFailedError, match="does not fit small"):
        write_bundle(artifact, board, Chip(), INFO, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_board_of_another_backend(artifact, tmp_path):
    board = BoardInfo(
        "other", "a board", ("tpu",), plain_memory(flash_bytes=10**9, ram_bytes=10**9, source="")
    )
    with pytest.raises(UsageError) as e:
        write_bundle(artifact, board, Chip(), INFO, tmp_path / "out")
    assert "export --backend tpu" in str(e.value.fix)


def test_a_backend_without_bundles(artifact, tmp_path):
    with pytest.raises(UsageError, match="no board bundles"):
        write_bundle(artifact, BOARD, object(), INFO, tmp_path / "out")


@pytest.mark.parametrize(
    ("precision", "absent", "runtime", "exact"),
    [
        ("int8", set(), "real", True),
        ("int8", {"real"}, "integer", True),
        ("int8", {"real", "integer"}, "fast", False),
        # of float files nothing exact is promised
        ("fp32", set(), "fast", False),
    ],
)
def test_golden_vectors_come_from_what_the_device_computes(
    artifact, sample, tmp_path, precision, absent, runtime, exact
):
    class Several(Chip):
        def open(self, model_file, *, runtime, specs, preprocess):
            if runtime in absent:
                raise BackendUnavailableError("not installed")
            offset = ("fast", "real", "integer").index(runtime)
            return lambda images: [np.full((len(images), 3), offset, np.float32)]

    info = replace(INFO, runtimes=("fast", "real", "integer"), exact=("real", "integer"))
    artifact = stating(artifact, precision=precision)
    write_bundle(artifact, BOARD, Several(), info, tmp_path / "out", samples=[sample])
    golden = json.loads((tmp_path / "out/golden/golden.json").read_text())
    assert (golden["runtime"], golden["exact"]) == (runtime, exact)
    answer = np.load(tmp_path / "out/golden/0.y.npy")
    assert (answer == info.runtimes.index(runtime)).all()


def test_unknown_memory_is_no_failure_but_said(artifact):
    artifact = stating(artifact, tensors=Tensors(ram_unknown="nobody measured it"))
    fit = fit_of(artifact, BOARD)
    assert fit.passed
    assert fit.to_dict()["ram_unknown"] == "nobody measured it"
    assert not fit.to_dict()["ram_checked"]
    assert "RAM not checked" in str(fit)


def test_a_bundle_is_an_artifact_whose_program_may_be_changed(artifact, tmp_path):
    out = tmp_path / "out"
    write_bundle(artifact, BOARD, Chip(), INFO, out)
    (out / "main.c").write_text("// mine")
    (out / "README.md").write_text("mine")
    opened = open_artifact(out)
    assert [f.path for f in opened.manifest.files] == ["model.bin"]
    (out / "model.bin").write_bytes(b"other")
    with pytest.raises(ArtifactError):
        open_artifact(out)


def test_an_output_may_be_called_anything(artifact, sample, tmp_path):
    spec = OutputSpec("../../harm", "class_logits", 0, 3, "softmax")
    artifact = stating(artifact, outputs=(spec,))
    write_bundle(artifact, BOARD, Chip(), INFO, tmp_path / "out", samples=[sample])
    golden = json.loads((tmp_path / "out/golden/golden.json").read_text())
    path = golden["entries"][0]["outputs"][spec.name]
    assert (tmp_path / "out/golden" / path).resolve().parent == (tmp_path / "out/golden").resolve()
    assert not list(tmp_path.glob("*harm*"))


def test_a_failure_leaves_nothing_half_written(artifact, tmp_path):
    class Broken(Chip):
        def deploy(self, artifact, manifest, board, directory, *, converted):
            (directory / "half.c").write_text("")
            raise OSError(28, "No space left on device")

    with pytest.raises(Exception, match="No space"):
        write_bundle(artifact, BOARD, Broken(), INFO, tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == {"artifact"}
