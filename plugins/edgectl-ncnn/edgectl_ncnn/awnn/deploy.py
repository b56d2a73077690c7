"""The MaixII-Dock's bundle: MaixPy3 program, settings, labels, and what MaixHub's converter returned."""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from edgectl.artifacts.manifest import Manifest
from edgectl.data.catalog.download import unpack
from edgectl.deploy.program import board_decoder
from edgectl.deploy.reference import decoding
from edgectl.errors import ArtifactError
from edgectl.escape.python import strings
from edgectl.spec import OutputSpec, Size
from edgectl_ncnn.awnn.package import mud

_LIMIT = 256 << 20
"""A converted network is some megabytes."""


def write_board_files(manifest: Manifest, directory: Path, *, converted: Path | None) -> None:
    """``main.py``, ``decode.py``, ``model.json``, ``labels.py``, ``README.md`` and the ``.mud`` beside the
    model files, which ``converted`` replaces.

    Raises:
        UsageError: heads the task's decoder does not read.
        ArtifactError: an archive without one ``.param`` and one ``.bin``.
    """
    reading = decoding(manifest)
    model = Path(manifest.model)
    param, weights = model.name, model.with_suffix(".bin").name
    if converted is not None:
        for name in (param, weights):
            (directory / name).unlink()
        param, weights = _bring_back(converted, directory)
    spec = manifest.preprocess
    rows, columns = spec.input_size
    shapes = [_shape(o, spec.input_size) for o in manifest.outputs]
    settings = {
        "param": param,
        "bin": weights,
        "converted": converted is not None,
        "input": [columns, rows, spec.channels],
        "output_shapes": shapes,
        "mean": spec.mean,
        "norm": [1.0 / s for s in spec.std],
        "labels": manifest.classes,
        **{k: getattr(spec, k) for k in ("resize", "pad_value", "pad_side", "channel_order")},
        **reading,
    }
    text = json.dumps(settings, indent=1, ensure_ascii=False) + "\n"
    (directory / "model.json").write_text(text, encoding="utf-8")
    described = mud(param, spec, shapes)
    (directory / Path(param).with_suffix(".mud")).write_text(described, encoding="ascii")
    labels = f"labels = {strings(manifest.classes)}\n"
    (directory / "labels.py").write_text(labels, encoding="utf-8")
    board = resources.files("edgectl_ncnn.awnn") / "board"
    for name in ("main.py", "README.md"):
        (directory / name).write_text((board / name).read_text("utf-8"), encoding="utf-8")
    (directory / "decode.py").write_text(board_decoder(manifest.task), encoding="utf-8")


def _shape(output: OutputSpec, size: Size) -> tuple[int, int, int]:
    """(width, height, channels), as MaixPy3 wants them."""
    if not output.stride:
        return 1, 1, output.channels
    rows, columns = (-(-n // output.stride) for n in size)
    return columns, rows, output.channels


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
