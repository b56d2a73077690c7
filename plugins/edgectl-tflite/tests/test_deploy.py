from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from edgectl_tflite.backend import TfliteBackend
from edgectl_tflite.config import TfliteConfig
from edgectl_tflite.plugin import edgectl_register_boards

from edgectl.artifacts.artifact import Artifact
from edgectl.artifacts.manifest import ListedFile, Tensors
from edgectl.backends.contract import WriteRequest
from edgectl.deploy.bundle import fit_of
from edgectl.errors import UsageError
from edgectl.plugins.board import plain_memory
from edgectl.spec import OperatingPoint, OutputSpec, PreprocessSpec
from edgectl.testing.manifest import make_manifest

BACKEND = TfliteBackend()
BOARD = edgectl_register_boards()[0]
MAIN = """
#include <cstdio>
#include "model_data.h"
int main() {
  unsigned sum = 0;
  for (unsigned long i = 0; i < edgectl_model_size; ++i) sum = sum * 31u + edgectl_model[i];
  std::printf("%lu %u %d\\n", edgectl_model_size, sum, MODEL_DATA_OPS);
}
"""


@pytest.fixture
def bundle(nets: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    net = nets.Net((16, 24))
    x = net.conv("input", 8, stride=(2, 2), padding=(0, 1, 0, 1), activation="relu6")
    graph = net.graph(net.conv(x, 3, (1, 1), padding=(0, 0, 0, 0)))
    spec = OutputSpec("cells", "cell_logits", 2, 3, "sigmoid")
    graph, specs = BACKEND.prepare(graph, [spec], TfliteConfig())
    artifact, out = tmp_path / "artifact", tmp_path / "out"
    artifact.mkdir()
    out.mkdir()
    model, _ = BACKEND.write(
        WriteRequest(
            graph=nets.quantize(graph, nets.images_for(graph, 2)),
            directory=artifact,
            outputs=specs,
            preprocess=PreprocessSpec((16, 24)),
            classes=("mask", 'say "no"'),
            precision="int8",
            config=TfliteConfig(),
        )
    )
    manifest = make_manifest(
        backend="tflite",
        model=model.name,
        preprocess=PreprocessSpec((16, 24)),
        outputs=specs,
        classes=("mask", 'say "no"'),
        tensors=Tensors.from_description(BACKEND.describe(model)),
        operating_point=OperatingPoint(0.7, "train-holdout", 0.5),
    )
    BACKEND.deploy(artifact, manifest, BOARD, out, converted=None)
    return SimpleNamespace(directory=out, model=model, manifest=manifest)


def test_the_header_says_what_the_manifest_says(bundle: SimpleNamespace) -> None:
    text = (bundle.directory / "model_data.h").read_text()
    for op in bundle.manifest.tensors.facts["ops"]:
        assert op["name"] in text


def test_the_board_is_asked_for_what_the_header_sets_aside(
    bundle: SimpleNamespace, tflm: None
) -> None:
    (size,) = re.findall(r"MODEL_DATA_ARENA (\d+)", (bundle.directory / "model_data.h").read_text())
    assert int(size) >= 1.25 * bundle.manifest.tensors.arena.total
    listed = ListedFile(path=bundle.model.name, bytes=1, sha256="")
    artifact = Artifact(
        bundle.model.parent, bundle.manifest.model_copy(update={"files": (listed,)})
    )
    for ram in (int(size), int(size) - 1):
        memory = plain_memory(ram_bytes=ram, flash_bytes=10**6, source="")
        board = replace(BOARD, memory=memory, camera=None)
        assert fit_of(artifact, board).passed == (ram == int(size))


def test_without_the_micro_interpreter_it_is_said_that_memory_is_not_checked(
    bundle: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    tensors = BACKEND.describe(bundle.model)
    assert "edgectl-tflite[tflm]" in tensors["ram_unknown"]
    BACKEND.deploy(
        bundle.model.parent,
        bundle.manifest.model_copy(update={"tensors": Tensors.from_description(tensors)}),
        BOARD,
        tmp_path,
        converted=None,
    )
    assert "MODEL_DATA_ARENA" not in (tmp_path / "model_data.h").read_text()


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_the_files_compile_and_hold_the_model(bundle: SimpleNamespace) -> None:
    (bundle.directory / "main.cc").write_text(MAIN)
    binary = bundle.directory / "main"
    strict = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
    words = ["gcc", "-std=c99", *strict, "-c", "model_data.c"]
    subprocess.run(words, cwd=bundle.directory, check=True)
    sources = [bundle.directory / n for n in ("main.cc", "model_data.o")]
    subprocess.run(["g++", "-std=c++17", *strict, *sources, "-o", binary], check=True)
    told = subprocess.run([binary], capture_output=True, text=True, check=True).stdout
    data = bundle.model.read_bytes()
    checksum = 0
    for byte in data:
        checksum = (checksum * 31 + byte) % 2**32
    assert told == f"{len(data)} {checksum} {len(bundle.manifest.tensors.facts['ops'])}\n"


def test_a_microcontroller_is_not_given_floats(bundle: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fed int8"):
        manifest = bundle.manifest.model_copy(update={"precision": "fp32"})
        BACKEND.deploy(tmp_path, manifest, BOARD, tmp_path, converted=None)


def test_no_converter_is_involved(bundle: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="as it is"):
        BACKEND.deploy(tmp_path, bundle.manifest, BOARD, tmp_path, converted=tmp_path / "a.zip")
