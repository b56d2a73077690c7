"""The MaixII-Dock's bundle: MaixPy3 script, settings, labels, and what MaixHub's converter returned."""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from edgectl.artifacts.manifest import Manifest
from edgectl.data.catalog.download import unpack
from edgectl.errors import ArtifactError, UsageError
from edgectl_ncnn.awnn.package import mud

_LIMIT = 256 << 20
"""A converted network is some megabytes."""


def write_board_files(manifest: Manifest, directory: Path, *, converted: Path | None) -> None:
    """``main.py``, ``model.json``, ``labels.py`` and the ``.mud`` beside the model files, which
    ``converted`` replaces.

    Raises:
        UsageError: not a classifier, or one of gray: MaixPy3's script is not written for those.
        ArtifactError: an archive without one ``.param`` and one ``.bin``.
    """
    if manifest.task != "classification":
        raise UsageError(
            f"the board's script reads classes; this model is for {manifest.task}",
            where="--target maixii-dock",
            fix="train a classifier (edgectl train resnet), or use the artifact's files by hand",
        )
    if manifest.preprocess.channels == 1:
        raise UsageError(
            "the board's camera gives color, and its script feeds that; this model sees gray",
            where="--target maixii-dock",
            fix="train without --set preprocess.channel_order=gray, or use the files by hand",
        )
    model = Path(manifest.model)
    param, weights = model.name, model.with_suffix(".bin").name
    if converted is not None:
        for name in (param, weights):
            (directory / name).unlink()
        param, weights = _bring_back(converted, directory)
    spec = manifest.preprocess
    rows, columns = spec.input_size
    settings = {
        "param": param,
        "bin": weights,
        "converted": converted is not None,
        "input": [columns, rows, spec.channels],
        "output": [1, 1, len(manifest.classes)],
        "mean": spec.mean,
        "norm": [1.0 / s for s in spec.std],
        "labels": manifest.classes,
    }
    text = json.dumps(settings, indent=1, ensure_ascii=False) + "\n"
    (directory / "model.json").write_text(text, encoding="utf-8")
    described = mud(param, spec, [(1, 1, len(manifest.classes))])
    (directory / Path(param).with_suffix(".mud")).write_text(described, encoding="ascii")
    labels = f"labels = {list(manifest.classes)!r}\n"
    (directory / "labels.py").write_text(labels, encoding="utf-8")
    script = resources.files("edgectl_ncnn.awnn") / "board" / "main.py"
    (directory / "main.py").write_text(script.read_text(encoding="utf-8"), encoding="utf-8")


def _bring_back(archive: Path, directory: Path) -> tuple[str, str]:
    """Copies the converter's ``.param`` and ``.bin``; returns their names."""
    if not archive.is_file():
        raise ArtifactError(
            "no such file", where=str(archive), fix="the zip MaixHub's converter returned"
        )
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "converted"
        unpack(archive, place, limit=_LIMIT)
        found = []
        for suffix in (".param", ".bin"):
            files = sorted(place.rglob(f"*{suffix}"))
            if len(files) != 1:
                raise ArtifactError(
                    f"{len(files)} {suffix} files; one is expected",
                    where=str(archive),
                    fix="the zip MaixHub's converter returned, as it is",
                )
            shutil.copy2(files[0], directory / files[0].name)
            found.append(files[0].name)
    return found[0], found[1]
