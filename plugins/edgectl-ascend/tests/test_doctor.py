from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from edgectl_ascend.doctor import cann_version, check_versions


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch):
    real = importlib.metadata.version

    def install(torch: str, npu: str | None) -> None:
        def version(name: str) -> str:
            if name == "torch-npu":
                if npu is None:
                    raise importlib.metadata.PackageNotFoundError(name)
                return npu
            return torch if name == "torch" else real(name)

        monkeypatch.setattr(importlib.metadata, "version", version)

    return install


def test_nobody_asked_for_it(installed) -> None:
    installed("2.13.0", None)
    assert check_versions().status == "ok"


@pytest.mark.parametrize(
    ("torch", "npu", "cann", "status", "says"),
    [
        ("2.1.0", "2.1.0.post10", "8.1.RC1", "ok", "CANN 8.1.RC1"),
        ("2.3.1", "2.3.1", "8.0.RC2", "ok", "torch_npu 2.3.1"),
        ("2.4.0", "2.1.0", "8.0.RC2", "warning", "does not fit torch"),
        ("2.2.0", "2.2.0", "8.2.RC1", "warning", "not one torch_npu 2.2.0"),
        ("2.1.0", "2.1.0", None, "warning", "CANN is not set up"),
    ],
)
def test_the_triple(installed, monkeypatch, tmp_path, torch, npu, cann, status, says) -> None:
    installed(torch, npu)
    monkeypatch.delenv("ASCEND_HOME_PATH", raising=False)
    if cann is not None:
        (tmp_path / "version.info").write_text(f"Version={cann}\n")
        monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path))
    check = check_versions()
    assert check.status == status and says in check.detail
    assert status == "ok" or check.fix


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("version.info", "Version=8.0.RC2\n"),
        (
            "version.cfg",
            "# version: 1.0\nruntime_running_version=[7.3.0.1.231:8.0.RC2]\nversion=[8.0.RC2]\n",
        ),
        ("arm64-linux/ascend_toolkit_install.info", "package_name=x\nversion=8.0.RC2\n"),
    ],
)
def test_where_cann_says_its_version(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert cann_version(tmp_path) == "8.0.RC2"
    assert cann_version(tmp_path / "nothing") is None
