"""The library in QEMU, on this machine and from a board's print-out: the same bytes, or the layer named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from edgectl_c.backend import CBackend
from edgectl_c.config import CConfig
from edgectl_c.device.build import CROSS, EMULATOR, run_here, write_program
from edgectl_c.device.report import parse_report
from edgectl_c.device.verify import Verification

import edgectl
from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl.plugins.registry import build_registry
from edgectl.quant.integer.lower import lower_graph
from edgectl.testing.line import Project
from edgectl.testing.networks import fomo, images_for, quantize
from edgectl.workflows.verification import verify_bundle


@pytest.fixture(scope="module")
def verification(tmp_path_factory: pytest.TempPathFactory) -> Verification:
    """A small FOMO with four images."""
    directory = tmp_path_factory.mktemp("library")
    graph = fomo(32)
    images = images_for(graph, 4)
    program = lower_graph(quantize(graph, images), ["cells"])
    model, *_ = CBackend().write_program(program, directory, CConfig())
    return Verification(model, images)


@pytest.mark.parametrize("cpu", ["m4", "m7", "m33", "m55"])
def test_every_byte_in_the_emulator(verification: Verification, cpu: str) -> None:
    if shutil.which(CROSS) is None or shutil.which(EMULATOR) is None:
        pytest.skip(f"needs {CROSS} and {EMULATOR}")
    check = verification.on(cpu)
    assert check.passed and check.images == 4
    assert check.stack_bytes is not None and 64 < check.stack_bytes <= 1024
    assert check.instructions is not None and check.instructions > 100_000
    assert check.ram_bytes is not None and check.ram_bytes >= verification.plan.arena_bytes


def broken(verification: Verification, right: str, wrong: str) -> Verification:
    """The same with a mistake in its C."""
    other = object.__new__(Verification)
    other.__dict__.update(verification.__dict__)
    assert verification.source.code.count(right) == 1
    code = verification.source.code.replace(right, wrong)
    other.source = replace(verification.source, code=code)
    other.texts = verification.texts | {"model.c": code}
    return other


@pytest.mark.usefixtures("compiler")
def test_the_first_layer_that_differs_is_named(verification: Verification) -> None:
    assert verification.on("host").passed
    sums = [s.name for s in verification.plan.network.steps if s.operation.name == "ADD"]
    check = broken(verification, "rescale(u + v,", "rescale(u + v + 4000000,").on("host")
    assert not check.passed and check.largest > 0
    assert check.first == sums[0]


@pytest.mark.usefixtures("compiler")
def test_a_boards_print_out_is_judged(verification: Verification, tmp_path: Path) -> None:
    write_program(verification.texts, tmp_path)
    said = run_here(tmp_path, steps=True)
    dump = tmp_path / "dump.txt"
    dump.write_text("boot loader 1.2\r\n" + said.replace("\n", "\r\n"))
    assert verification.of_dump(dump).passed
    dump.write_text(said.replace("differs 0 0 0", "differs 0 3 7", 1))
    check = verification.of_dump(dump)
    assert (check.differs, check.largest) == (3, 7)
    for text in ("", "hello", said[: len(said) // 2], said.replace("differs 0", "differs zero")):
        dump.write_text(text)
        with pytest.raises(ArtifactError):
            verification.of_dump(dump)


def test_a_print_out_of_other_images_is_refused() -> None:
    text = "edgectl-verify 1\nimage 0\ndiffers 0 0 0\ndone\n"
    assert len(parse_report(text, images=1, outputs=1, where="dump")) == 1
    with pytest.raises(ArtifactError, match="1 of 2 images"):
        parse_report(text, images=2, outputs=1, where="dump")
    with pytest.raises(ArtifactError):
        parse_report(text, images=1, outputs=2, where="dump")


def test_without_tools_the_packages_are_named(
    verification: Verification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BackendUnavailableError) as caught:
        verification.on("m4")
    assert caught.value.exit_code == 3
    for package in ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "qemu-system-arm"):
        assert package in str(caught.value.fix)
    with pytest.raises(BackendUnavailableError):
        verification.on("host")


@pytest.mark.usefixtures("compiler")
def test_the_command(
    verification: Verification,
    edgectl_project: Project,
    tmp_path: Path,
) -> None:
    run = edgectl_project.train("fomo", "centroid", 32)
    edgectl_project.refuse(verify_bundle, run, cpus=["host"], code=2)
    made = edgectl_project.expect(edgectl.export, run, backend="c")
    data = edgectl_project.expect(verify_bundle, made["artifact"], cpus=["host"])
    (rung,) = data["rungs"]
    assert rung["passed"] and rung["name"] == "host" and rung["images"] == 4
    edgectl_project.refuse(verify_bundle, run, cpus=["m99"], code=2)
    # the bundle made of it, and of a file of another backend, is the same kind of program
    for kind in ("c", "tflite"):
        if kind not in build_registry().backends.names():
            continue
        artifact = edgectl_project.expect(edgectl.export, run, backend=kind)["artifact"]
        bundle = tmp_path / kind
        edgectl_project.expect(edgectl.deploy, artifact, target="arduino-nano-33-ble", out=bundle)
        files = {p.name for p in bundle.iterdir()}
        assert {"model.c", "decode.c", "main.c", "golden.h", "README.md", "manifest.json"} <= files
        (rung,) = edgectl_project.expect(verify_bundle, bundle, cpus=["host"])["rungs"]
        assert rung["passed"] and rung["images"] >= 1 and rung["results_wrong"] == 0
    # a board with another answer
    with tempfile.TemporaryDirectory() as name:
        write_program(verification.texts, Path(name))
        said = run_here(Path(name), steps=False)
    dump = tmp_path / "dump.txt"
    dump.write_text(said.replace("differs 0 0 0", "differs 0 1 1"))
    error = edgectl_project.refuse(verify_bundle, run, serial=dump, code=4)
    assert "4 output bytes" in error.message
    assert error.result.to_dict()["rungs"][0]["differs"] == 4
    words = ["deploy", "verify", made["artifact"], "--serial", str(dump), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "edgectl", *words], capture_output=True, text=True, check=False
    )
    document = json.loads(done.stdout)
    assert done.returncode == 4 and document["command"] == "deploy verify"
    assert document["data"]["rungs"][0]["max_steps"] == 1
