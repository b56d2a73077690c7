"""A board's bundle: the artifact's model files, the code that feeds and reads them, golden vectors."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.artifacts.artifact import Artifact, list_files
from edgectl.artifacts.manifest import Manifest
from edgectl.backends.contract import ArtifactReader, BoardCompiler, Deployer, ModelMemory
from edgectl.backends.runtime import list_exact_runtimes, open_as_on_device
from edgectl.deploy.compose import GOLDEN_IMAGES, find_composer
from edgectl.deploy.fit import Fit, fit_memory
from edgectl.deploy.golden import golden_images, write_golden
from edgectl.errors import GateFailedError, UsageError
from edgectl.files import MANIFEST, replacing, sha256_of, write_json
from edgectl.labels import Sample
from edgectl.plugins.info import BackendInfo, BoardInfo
from edgectl.tasks.decode_rule import head_notes

_OWNERS = (".ino", ".md", ".conf", ".properties", ".yml", ".txt")
"""Kinds of files in a bundle that whoever builds it changes."""


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


def fit_of(artifact: Artifact, board: BoardInfo, backend: object = None) -> Fit:
    """What the model takes and the program around it, in the board's regions: by the manifest, or by what
    ``backend`` compiles for the board.

    Raises:
        BackendUnavailableError: that compiler is not there.
    """
    tensors = artifact.manifest.tensors
    flash = tensors.flash_bytes
    memory: ModelMemory | None = None
    if isinstance(backend, BoardCompiler):
        memory = backend.memory_on(artifact.model_file, board)
    memory = memory or ModelMemory(
        tensors.ram_bytes, artifact.model_bytes if flash is None else flash, tensors.ram_unknown
    )
    return fit_memory(board, memory, artifact.outputs, artifact.preprocess.input_size)


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
    fit = _require_fit(artifact, board, backend)
    guide = ""
    composer = find_composer(artifact, backend, board)
    with replacing(out, "bundle") as directory:
        for part in artifact.parts:
            shutil.copy2(artifact.directory / part.path, directory / Path(part.path).name)
        backend.deploy(artifact.directory, artifact.manifest, board, directory, converted=converted)
        if composer is not None:
            images, sources = composer.images(samples)
            manifest = composer.write(directory, images)
            _write_golden(directory / "golden", artifact, backend, info, images, sources)
        else:
            manifest = artifact.manifest
            if samples:
                images = golden_images(samples[:GOLDEN_IMAGES], artifact.preprocess)
                sources = [s.path.name for s in samples[:GOLDEN_IMAGES]]
                _write_golden(directory / "golden", artifact, backend, info, images, sources)
        if isinstance(backend, BoardCompiler):
            guide = backend.board_guide(board, directory)
        _write_listing(directory, manifest, guide)
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
    if artifact.backend not in board.backends:
        names = " and ".join(f"'{name}'" for name in board.backends)
        raise UsageError(
            f"{board.name} runs files of {names}, this one is of '{artifact.backend}'",
            where="--target",
            fix=f"edgectl export --backend {board.backend}",
        )


def _require_fit(artifact: Artifact, board: BoardInfo, backend: ArtifactReader) -> Fit:
    fit = fit_of(artifact, board, backend)
    if not fit.passed:
        raise GateFailedError(
            f"does not fit {board.name}: {fit}",
            where=str(artifact.directory),
            fix="train a smaller variant or at a smaller --imgsz; 'edgectl boards' shows what others hold",
        )
    return fit


def _write_listing(directory: Path, manifest: Manifest, guide: str) -> None:
    """``manifest.json`` of what lies there, and a README where the backend wrote none; at its end how the
    compiled file gets onto the board. What its owner will
    change is not held against the list."""
    readme = directory / "README.md"
    if not readme.is_file():
        readme.write_text(_plain_readme(manifest), encoding="utf-8")
    if guide:
        text = readme.read_text(encoding="utf-8").rstrip()
        readme.write_text(f"{text}\n\n{guide}", encoding="utf-8")
    files = tuple(f for f in list_files(directory) if not _is_owners(Path(f.path)))
    model = Path(manifest.model).name
    compiler = manifest.compiler
    if compiler is not None and (directory / compiler.product).is_file():
        model = compiler.product
    there = [f.path for f in files]
    if model not in there:  # a converter returned files of other names
        model = next(name for name in there if Path(name).suffix == Path(model).suffix)
    tensors = manifest.tensors
    if not set(tensors.files or ()) <= set(there):
        tensors = tensors.model_copy(update={"files": None})
    facts = {"model": model, "tensors": tensors, "status": "built", "files": files}
    write_json(directory / MANIFEST, manifest.model_copy(update=facts).to_dict())


def _is_owners(path: Path) -> bool:
    return path.suffix in _OWNERS or path.stem == "main" or path.parts[0] == "examples"


def _plain_readme(manifest: Manifest) -> str:
    lines = [
        f"# {manifest.family} {manifest.variant}",
        "",
        f"Classes: {', '.join(' '.join(name.split()) for name in manifest.classes)}.",
        "",
        *head_notes(manifest.outputs),
        "",
        "`golden/` holds images as the network is fed them, and what it answered before it was sent here.",
    ]
    return "\n".join(lines) + "\n"


def _write_golden(
    directory: Path,
    artifact: Artifact,
    backend: ArtifactReader,
    info: BackendInfo,
    images: np.ndarray,
    sources: Sequence[str],
) -> None:
    runtime, runner = open_as_on_device(backend, info, artifact)
    write_golden(
        directory,
        images,
        sources,
        runner,
        artifact.outputs,
        artifact.preprocess,
        runtime=runtime,
        exact=runtime in list_exact_runtimes(info, artifact.manifest),
    )
