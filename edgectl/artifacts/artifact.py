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

from edgectl.artifacts.fields import wrong_field
from edgectl.errors import ArtifactError
from edgectl.files import ARTIFACT_SCHEMA as SCHEMA
from edgectl.files import MANIFEST
from edgectl.spec import OutputSpec, PreprocessSpec

_AGAIN = "export again: edgectl export"


@dataclass(frozen=True)
class Artifact:
    """A verified artifact directory."""

    directory: Path
    manifest: dict[str, Any]

    @property
    def model_file(self) -> Path:
        """The file a device loads."""
        return self.directory / str(self.manifest["model"])

    @property
    def backend(self) -> str:
        """Name of the backend that wrote it."""
        return str(self.manifest["backend"])

    @property
    def preprocess(self) -> PreprocessSpec:
        """How images are prepared for it."""
        return PreprocessSpec.from_dict(self.manifest["preprocess"])

    @property
    def outputs(self) -> tuple[OutputSpec, ...]:
        """Its output tensors, in order."""
        return tuple(OutputSpec.from_dict(o) for o in self.manifest["outputs"])

    @property
    def parts(self) -> list[dict[str, Any]]:
        """Entries of ``files`` that a device loads: the model file, and those its description names
        as ``files`` where a model is more than one."""
        names = self.manifest.get("tensors", {}).get("files") or [self.manifest["model"]]
        return [f for f in self.manifest["files"] if f["path"] in names]

    @property
    def sha256(self) -> str:
        """Of the model file; of its parts' digests, in order, where it is more than one."""
        digests = [str(f["sha256"]) for f in self.parts]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256("".join(digests).encode()).hexdigest()

    @property
    def model_bytes(self) -> int:
        """Of everything a device loads."""
        return sum(int(f["bytes"]) for f in self.parts)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def list_files(directory: Path) -> list[dict[str, Any]]:
    """``path`` (relative, posix), ``bytes`` and ``sha256`` of everything but the manifest."""
    return [
        {
            "path": p.relative_to(directory).as_posix(),
            "bytes": p.stat().st_size,
            "sha256": sha256_of(p),
        }
        for p in sorted(directory.rglob("*"))
        if p.is_file() and p.name != MANIFEST
    ]


def damaged(path: Path, field: str) -> ArtifactError:
    """For a manifest one field of which cannot be used; ``field``: its name, quoted, and why."""
    return ArtifactError(
        f"damaged or altered manifest (field {field})", where=str(path), fix=_AGAIN
    )


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest every field of which later code can rely on. The files it lists are not looked at.

    Raises:
        ArtifactError: absent or unreadable, other schema, a field missing or of the wrong kind.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        reason = "nested too deep" if isinstance(e, RecursionError) else getattr(e, "strerror", e)
        raise ArtifactError(
            f"manifest cannot be read: {reason}", where=str(path), fix=_AGAIN
        ) from e
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise ArtifactError(f"not an artifact of schema {SCHEMA}", where=str(path), fix=_AGAIN)
    wrong = wrong_field(manifest)
    if wrong is not None:
        raise damaged(path, wrong)
    # what a version before had no word for has its default, for backends that read the manifest itself
    return {
        **manifest,
        "preprocess": PreprocessSpec.from_dict(manifest["preprocess"]).to_dict(),
        "outputs": [OutputSpec.from_dict(o).to_dict() for o in manifest["outputs"]],
    }


def open_artifact(directory: Path) -> Artifact:
    """Reads the manifest and checks every file against it.

    Raises:
        ArtifactError: see :func:`read_manifest`; missing or altered file.
    """
    path = directory / MANIFEST
    manifest = read_manifest(path)
    for listed in manifest["files"]:
        file = directory / listed["path"]
        try:
            inside = file.resolve().is_relative_to(directory.resolve())
            found = (file.stat().st_size, sha256_of(file)) if inside else None
        except (OSError, RuntimeError) as e:  # RuntimeError: links in a circle
            raise ArtifactError(
                "listed in the manifest but absent", where=str(file), fix=_AGAIN
            ) from e
        if found is None:
            raise ArtifactError(
                f"the manifest points outside: {listed['path']}", where=str(path), fix=_AGAIN
            )
        if found != (listed["bytes"], listed["sha256"]):
            raise ArtifactError(
                "changed since it was exported: its size or sha256 is not the manifest's",
                where=str(file),
                fix=_AGAIN + ", or restore the file",
            )
    return Artifact(directory, manifest)


def write_manifest(directory: Path, manifest: dict[str, Any]) -> None:
    """Atomically (re)writes ``manifest.json``; lists the files that are there now."""
    document = {"schema": SCHEMA, **manifest, "files": list_files(directory)}
    tmp = directory / (MANIFEST + ".tmp")
    tmp.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    tmp.replace(directory / MANIFEST)
