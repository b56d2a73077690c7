"""A board's bundle: the artifact's model files, the code that feeds and reads them, golden vectors."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgectl.artifacts.artifact import Artifact
from edgectl.backends.contract import ArtifactReader, Deployer
from edgectl.backends.runtime import list_exact_runtimes, open_as_on_device
from edgectl.deploy.golden import write_golden
from edgectl.errors import GateFailedError, UsageError
from edgectl.files import replacing, sha256_of
from edgectl.labels import Sample
from edgectl.plugins.info import BackendInfo, BoardInfo

GOLDEN_IMAGES = 4


@dataclass(frozen=True)
class Fit:
    """Bytes needed and there. ``ram_needed`` is None where the backend cannot tell, and ``ram_unknown``
    then why, if it says."""

    flash_needed: int
    flash: int
    ram_needed: int | None
    ram: int
    ram_unknown: str | None = None

    @property
    def passed(self) -> bool:
        """Whether both fit."""
        return self.flash_needed <= self.flash and (self.ram_needed or 0) <= self.ram

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        checked = self.ram_needed is not None
        return {**asdict(self), "ram_checked": checked, "passed": self.passed}

    def __str__(self) -> str:
        """For people."""
        ram = "RAM not checked"
        if self.ram_needed is not None:
            ram = f"{self.ram_needed:,} of {self.ram:,} bytes of RAM"
        return f"{self.flash_needed:,} of {self.flash:,} bytes of flash, {ram}"


@dataclass(frozen=True)
class Bundle:
    """``files``: path inside the directory, bytes, sha256."""

    directory: Path
    board: str
    files: list[dict[str, Any]]
    fit: Fit

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``deploy --json``."""
        return {
            "bundle": str(self.directory),
            "board": self.board,
            "files": self.files,
            "fit": self.fit.to_dict(),
        }


def fit_of(artifact: Artifact, board: BoardInfo) -> Fit:
    """From the manifest: what the model takes against flash, what the program sets aside against RAM."""
    tensors = artifact.manifest.tensors
    flash = tensors.flash_bytes
    return Fit(
        artifact.model_bytes if flash is None else flash,
        board.flash_bytes,
        tensors.ram_bytes,
        board.ram_bytes,
        tensors.ram_unknown,
    )


def write_bundle(
    artifact: Artifact,
    board: BoardInfo,
    backend: ArtifactReader,
    info: BackendInfo,
    out: Path,
    *,
    samples: Sequence[Sample] = (),
    converted: Path | None = None,
) -> Bundle:
    """Builds ``out``, complete or not at all.

    Args:
        samples: images for golden vectors; none without a data set.
        converted: an archive a vendor's converter returned, for backends that take one.

    Raises:
        UsageError: the board runs another backend's files, or the backend writes no bundles.
        GateFailedError: the model does not fit; nothing is written.
    """
    _require_backend_of(board, artifact)
    if not isinstance(backend, Deployer):
        raise UsageError(f"'{info.name}' writes no board bundles yet", where="--target")
    fit = _require_fit(artifact, board)
    with replacing(out, "bundle") as directory:
        for part in artifact.parts:
            shutil.copy2(artifact.directory / part.path, directory / Path(part.path).name)
        backend.deploy(artifact.directory, artifact.manifest, board, directory, converted=converted)
        if samples:
            _write_golden(directory / "golden", artifact, backend, info, samples)
        names = sorted(p.relative_to(directory) for p in directory.rglob("*") if p.is_file())
    files = [
        {
            "path": name.as_posix(),
            "bytes": (out / name).stat().st_size,
            "sha256": sha256_of(out / name),
        }
        for name in names
    ]
    return Bundle(out, board.name, files, fit)


def _require_backend_of(board: BoardInfo, artifact: Artifact) -> None:
    if artifact.backend != board.backend:
        raise UsageError(
            f"{board.name} runs files of '{board.backend}', this one is of '{artifact.backend}'",
            where="--target",
            fix=f"edgectl export --backend {board.backend}",
        )


def _require_fit(artifact: Artifact, board: BoardInfo) -> Fit:
    fit = fit_of(artifact, board)
    if not fit.passed:
        raise GateFailedError(
            f"does not fit {board.name}: {fit}",
            where=str(artifact.directory),
            fix="train a smaller variant or at a smaller --imgsz; 'edgectl boards' shows what others hold",
        )
    return fit


def _write_golden(
    directory: Path,
    artifact: Artifact,
    backend: ArtifactReader,
    info: BackendInfo,
    samples: Sequence[Sample],
) -> None:
    runtime, runner = open_as_on_device(backend, info, artifact)
    write_golden(
        directory,
        samples[:GOLDEN_IMAGES],
        runner,
        artifact.outputs,
        artifact.preprocess,
        runtime=runtime,
        exact=runtime in list_exact_runtimes(info, artifact.manifest),
    )
