from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from edgectl.errors import ArtifactError, EdgectlError
from edgectl.runs.checkpoint import SCHEMA, Checkpoint
from edgectl.spec import OperatingPoint, OutputSpec, PreprocessSpec


def make() -> Checkpoint:
    return Checkpoint(
        family="tiny",
        variant="t",
        task="centroid",
        config={"train": {"epochs": 3}, "gates": []},
        classes=("mask", "no-mask"),
        preprocess=PreprocessSpec((192, 160)),
        outputs=(OutputSpec("cells", "cell_logits", 8, 3),),
        weights={"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7)},
        epoch=3,
        data={"name": "d", "fingerprint": {"train": "ab"}},
        versions={"torch": "2"},
        operating_point=OperatingPoint(0.42, "train-holdout (9 images)", 0.8),
    )


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    make().save(path)
    loaded = Checkpoint.load(path)
    assert torch.equal(loaded.weights["w"], make().weights["w"])
    assert loaded.preprocess == PreprocessSpec((192, 160))
    assert loaded.operating_point == OperatingPoint(0.42, "train-holdout (9 images)", 0.8)
    assert {k: v for k, v in vars(loaded).items() if k != "weights"} == {
        k: v for k, v in vars(make()).items() if k != "weights"
    }
    assert list(tmp_path.iterdir()) == [path]


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch exploded",))


def test_code_is_refused_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"schema": SCHEMA, "weights": Bomb()}, tmp_path / "zip.pt")
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(Bomb()))
    for name, message in (("zip.pt", "run code"), ("raw.pt", "not a checkpoint")):
        with pytest.raises(ArtifactError, match=message) as e:
            Checkpoint.load(tmp_path / name)
        assert e.value.exit_code == 5
        assert e.value.fix
    assert not (tmp_path / "exploded").exists()


def test_truncated_at_any_length(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    make().save(path)
    data = path.read_bytes()
    for length in (0, 1, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ArtifactError) as e:
            Checkpoint.load(path)
        assert e.value.where == str(path)


def test_a_flipped_bit_in_the_weights_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    make().save(path)
    data = bytearray(path.read_bytes())
    at = data.find(make().weights["w"].numpy().tobytes())
    assert at > 0
    data[at + 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="checksum"):
        Checkpoint.load(path)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"state_dict": {"w": torch.zeros(1)}}, "not an edgectl checkpoint"),
        ([1, 2], "holds a list"),
        ({"schema": "edgectl-checkpoint/9"}, "this version reads"),
        ({"schema": SCHEMA}, "field 'classes'"),
        ({**make().to_dict(), "input_size": [192]}, "field 'input_size'"),
        ({**make().to_dict(), "input_size": "big"}, "field 'input_size'"),
        (
            {**make().to_dict(), "operating_point": {"threshold": "x"}},
            "field 'operating_point'",
        ),
        (
            {**make().to_dict(), "weights": {"w": 1}},
            "field 'weights'",
        ),
    ],
)
def test_foreign_and_altered_files(tmp_path: Path, document: Any, message: str) -> None:
    path = tmp_path / "x.pt"
    torch.save(document, path)
    with pytest.raises(ArtifactError, match=message):
        Checkpoint.load(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("preprocess", {}),
        ("preprocess", {"input_size": [192, 160], "mean": "x"}),
        ("preprocess", {"input_size": [32, 32]}),
        ("preprocess", {"input_size": [192, 160], "resize": "evil"}),
        ("preprocess", {"input_size": [192, 160], "std": [0.0, 0.0, 0.0]}),
        ("preprocess", {"input_size": [192, 160], "gamma": 2.2}),
        ("outputs", []),
        ("outputs", [{}]),
        ("outputs", [{"name": "a", "kind": "b", "stride": -1, "channels": 3}]),
        ("weights", {"w": torch.tensor([1.0, float("nan")])}),
    ],
)
def test_damage_inside_a_field_is_found(tmp_path: Path, field: str, value: Any) -> None:
    path = tmp_path / "x.pt"
    make().save(path)
    document = torch.load(path, weights_only=True)
    torch.save({**document, field: value}, path)
    with pytest.raises(ArtifactError, match=f"field '{field}'"):
        Checkpoint.load(path)


def test_absent(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such checkpoint"):
        Checkpoint.load(tmp_path / "none.pt")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    make().save(path)
    before = path.read_bytes()
    broken = replace(make(), config={"unpicklable": lambda: None})
    with pytest.raises((pickle.PicklingError, AttributeError)):
        broken.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(EdgectlError, match="cannot write"):
        make().save(tmp_path / "absent" / "a.pt")
