"""The manifest: what goes in comes out, nothing is changed behind anyone's back, the schema is current."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from edgectl.artifacts.manifest import (
    Compiler,
    Gate,
    GraphParity,
    ListedFile,
    Manifest,
    Parity,
    RuntimeParity,
    Scores,
    Tensors,
)
from edgectl.errors import ArtifactError
from edgectl.metrics.report import EvaluationReport
from edgectl.spec import OperatingPoint
from edgectl.testing.manifest import make_manifest

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "write_schemas.py"
REPORT = EvaluationReport.model_validate(
    {
        "task": "centroid",
        "model": {
            "path": "model.bin",
            "kind": "artifact",
            "backend": "toy",
            "precision": "int8",
            "sha256": "0" * 64,
            "bytes": 7,
            "runtime": "emulator",
        },
        "dataset": {"name": "d", "split": "valid", "images": 3, "fingerprint": "ab"},
        "metrics": {"f1": 0.5, "per_class": {"mask": {"f1": 0.5}}},
    }
)


@pytest.fixture
def manifest() -> Manifest:
    return make_manifest(
        operating_point=OperatingPoint(0.5, "train", 1.0),
        compiler=Compiler(arguments=("compile",), product="model.bin", facts={"seconds": 1}),
        parity=Parity(
            graph=GraphParity(images=2, float_max_abs=1e-6, sqnr_db={"cells": 40.0}),
            reference="emulator",
            runtimes={"emulator": RuntimeParity(differing=0, of=9, max_abs=0.0, exact=True)},
        ),
        tensors=Tensors.from_description(
            {
                "inputs": [{"name": "x", "shape": [1, 4, 6, 3], "dtype": "int8", "whc": [6, 4, 3]}],
                "arena": {"total": 10, "activations": 6, "head": 1},
                "ops": {"CONV": 3},
            }
        ),
        metrics=Scores(network=REPORT, file=REPORT),
        gate=Gate(metric="f1", drop=0.0, limit=0.01, passed=True),
        files=(ListedFile(path="model.bin", bytes=7, sha256="0" * 64),),
    )


def test_what_is_written_is_read_back(manifest: Manifest) -> None:
    document = json.loads(json.dumps(manifest.to_dict()))
    again = Manifest.from_dict(document)
    assert again == manifest
    assert again.to_dict() == document
    assert again.tensors.facts == {"ops": {"CONV": 3}}
    assert again.tensors.inputs[0].facts == {"whc": [6, 4, 3]}
    assert document["metrics"]["float"] == document["metrics"]["file"] == REPORT.to_dict()


def test_what_was_not_stated_is_not_written() -> None:
    document = make_manifest().to_dict()
    assert not {"metrics", "gate", "compiler", "runtime"} & set(document)
    assert list(document)[:3] == ["schema", "backend", "precision"]


def test_facts_of_later_versions_pass_unread(manifest: Manifest) -> None:
    document = manifest.to_dict()
    document["preprocess"] = {"input_size": [64, 96]}  # of an early version: the rest has defaults
    again = Manifest.from_dict({**document, "invented later": 1})
    assert again == manifest


def test_it_is_frozen(manifest: Manifest) -> None:
    for part, field in (
        (manifest, "model"),
        (manifest.parity, "images"),
        (manifest.gate, "passed"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(part, field, 1)


def test_a_compiler_that_is_not_there_is_an_error(manifest: Manifest) -> None:
    assert manifest.require_compiler().product == "model.bin"
    with pytest.raises(ArtifactError, match="compiler"):
        make_manifest().require_compiler()


def test_the_published_schema_is_current() -> None:
    done = subprocess.run([sys.executable, SCHEMAS, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
