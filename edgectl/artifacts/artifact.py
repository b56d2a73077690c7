"""An artifact: the files a backend wrote and ``manifest.json``, which says what they are and proves it.

The directory is built under a temporary name and renamed when everything in it is complete, so an
interrupted export leaves the previous artifact untouched. Opening one verifies every sha256.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgectl.artifacts.manifest import ListedFile, Manifest
from edgectl.errors import ArtifactError
from edgectl.files import ARTIFACT_SCHEMA as SCHEMA
from edgectl.files import MANIFEST, sha256_of, write_json
from edgectl.spec import OutputSpec, PreprocessSpec

_AGAIN = "export again: edgectl export"


@dataclass(frozen=True)
class Artifact:
    """A verified artifact directory."""

    directory: Path
    manifest: Manifest

    def __fspath__(self) -> str:
        return str(self.directory)

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``export --json``."""
        names = (
            "files", "backend", "precision", "stage", "status", "parity", "metrics", "gate", "tensors",
        )  # fmt: skip
        stated = self.manifest.to_dict()
        return {"artifact": str(self.directory), **{name: stated.get(name) for name in names}}

    @property
    def model_file(self) -> Path:
        """The file a device loads."""
        return self.directory / self.manifest.model

    @property
    def backend(self) -> str:
        """Name of the backend that wrote it."""
        return self.manifest.backend

    @property
    def preprocess(self) -> PreprocessSpec:
        """How images are prepared for it."""
        return self.manifest.preprocess

    @property
    def outputs(self) -> tuple[OutputSpec, ...]:
        """Its output tensors, in order."""
        return self.manifest.outputs

    @property
    def parts(self) -> tuple[ListedFile, ...]:
        """The files that a device loads: the model file, and those its description names as ``files``
        where a model is more than one."""
        names = self.manifest.tensors.files or (self.manifest.model,)
        return tuple(f for f in self.manifest.files if f.path in names)

    @property
    def sha256(self) -> str:
        """Digest of the model file, or of its parts' digests in order where it is more than one."""
        digests = [f.sha256 for f in self.parts]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    @property
    def model_bytes(self) -> int:
        """Bytes of everything a device loads."""
        return sum(f.bytes for f in self.parts)


def list_files(directory: Path) -> tuple[ListedFile, ...]:
    """Lists everything in a directory but the manifest."""
    return tuple(
        ListedFile(
            path=p.relative_to(directory).as_posix(),
            bytes=p.stat().st_size,
            sha256=sha256_of(p),
        )
        for p in sorted(directory.rglob("*"))
        if p.is_file() and p.name != MANIFEST
    )


def explain_damage(path: Path, field: str) -> ArtifactError:
    """The error for a manifest one field of which cannot be used; ``field``: its name, quoted, and why."""
    return ArtifactError(
        f"damaged or altered manifest (field {field})", where=str(path), fix=_AGAIN
    )


def read_manifest(path: Path) -> Manifest:
    """A manifest every field of which later code can rely on. The files it lists are not looked at.

    Raises:
        ArtifactError: absent or unreadable, other schema, a field missing or of the wrong kind.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        reason = "nested too deep" if isinstance(e, RecursionError) else getattr(e, "strerror", e)
        raise ArtifactError(
            f"manifest cannot be read: {reason}", where=str(path), fix=_AGAIN
        ) from e
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ArtifactError(f"not an artifact of schema {SCHEMA}", where=str(path), fix=_AGAIN)
    try:
        return Manifest.from_dict(document)
    except ValueError as e:
        raise explain_damage(path, str(e)) from e


def open_artifact(directory: Path) -> Artifact:
    """Reads the manifest and checks every file against it.

    Raises:
        ArtifactError: see :func:`read_manifest`; missing or altered file.
    """
    path = directory / MANIFEST
    manifest = read_manifest(path)
    for listed in manifest.files:
        file = directory / listed.path
        try:
            inside = file.resolve().is_relative_to(directory.resolve())
            found = (file.stat().st_size, sha256_of(file)) if inside else None
        except (OSError, RuntimeError) as e:  # RuntimeError: links in a circle
            raise ArtifactError(
                "listed in the manifest but absent", where=str(file), fix=_AGAIN
            ) from e
        if found is None:
            raise ArtifactError(
                f"the manifest points outside: {listed.path}", where=str(path), fix=_AGAIN
            )
        if found != (listed.bytes, listed.sha256):
            raise ArtifactError(
                "changed since it was exported: its size or sha256 is not the manifest's",
                where=str(file),
                fix=_AGAIN + ", or restore the file",
            )
    return Artifact(directory, manifest)


def write_manifest(directory: Path, manifest: Manifest) -> Artifact:
    """Atomically writes ``manifest.json``, which lists the files that are there now: an artifact's last
    file. Returns the artifact."""
    manifest = manifest.model_copy(update={"files": list_files(directory)})
    write_json(directory / MANIFEST, manifest.to_dict())
    return Artifact(directory, manifest)
