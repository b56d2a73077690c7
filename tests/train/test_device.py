from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgectl.config.schema import TrainConfig
from edgectl.errors import DependencyError
from edgectl.train import device


@pytest.mark.parametrize(
    ("cores", "torch_threads", "expected"), [(1, 1, 1), (2, 2, 1), (8, 8, 7), (8, 4, 4), (8, 1, 1)]
)
def test_one_core_stays_free(
    monkeypatch: pytest.MonkeyPatch, cores: int, torch_threads: int, expected: int
) -> None:
    monkeypatch.setattr(device, "usable_cores", lambda: cores)
    monkeypatch.setattr(device, "_TORCH_THREADS", torch_threads)
    assert device.choose_threads(0) == expected
    assert device.choose_threads(3) == 3
    assert device.choose_threads(0, processes=8) == 1


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 64), ("200000 100000", 2), ("50000 100000", 1), ("", 64)]
)
def test_a_container_quota_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, expected: int
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    monkeypatch.setattr(device, "_CGROUP_QUOTA", file)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert device.usable_cores() == expected


def test_an_explicit_precision_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    for native in (True, False):
        monkeypatch.setattr(device, "native_bf16", lambda _, native=native: native)
        assert device.choose_precision("fp32", "cpu") == "fp32"
        assert device.choose_precision("bf16", "cpu") == "bf16"
        assert device.choose_precision("auto", "cpu") == ("bf16" if native else "fp32")


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(DependencyError, match="cuda"):
            device.build_accelerator(TrainConfig(device="cuda"), tmp_path, tensorboard=False)
