"""The calibration set: which images the quantizer saw, recorded so that it can be seen again."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.data.images.preprocess import decode, resize_image
from edgectl.data.images.storage import read_bytes
from edgectl.data.index import IMAGE_SUFFIXES
from edgectl.errors import DataError
from edgectl.files import staged
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec

_WRITE_BATCH = 16


@dataclass(frozen=True)
class CalibrationSet:
    """Attributes:
    files: the images, in the order they are fed.
    sha256: over names and bytes, in that order.
    seed: that chose them.
    source: ``train`` or the directory's name.
    """

    files: tuple[Path, ...]
    sha256: str
    seed: int
    source: str

    @property
    def names(self) -> list[str]:
        """File names without directories."""
        return [p.name for p in self.files]

    def images(self, spec: PreprocessSpec, batch: int) -> Iterator[np.ndarray]:
        """uint8 (N, H, W, C), as for evaluation: the quantizer sees what the device sees."""
        for first in range(0, len(self.files), batch):
            chosen = self.files[first : first + batch]
            yield np.stack(
                [resize_image(decode(p, background=spec.pad_value), spec)[0] for p in chosen]
            )

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "source": self.source,
            "count": len(self.files),
            "seed": self.seed,
            "sha256": self.sha256,
            "names": self.names,
        }


def calibration_list(samples: Sequence[Sample], count: int, seed: int) -> CalibrationSet:
    """``count`` images of a training split, at random but with every class among them.

    Raises DataError for an empty split.
    """
    if not samples:
        raise DataError("no images to calibrate on", fix="add --calib DATA or --calib DIR")
    order = np.random.default_rng((seed, 0xCA11)).permutation(len(samples)).tolist()
    classes = sorted({int(c) for s in samples for c in s.class_labels()})
    first = [next(i for i in order if c in samples[i].class_labels()) for c in classes]
    chosen = list(dict.fromkeys([*first, *order]))[:count]
    return _hashed([samples[i].path for i in chosen], seed, "train")


def calibration_from_directory(directory: Path, count: int, seed: int) -> CalibrationSet:
    """Images of a plain directory. Raises DataError when there are none."""
    files = sorted(p for p in directory.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DataError(
            "no images to calibrate on",
            where=str(directory),
            fix="a directory with " + ", ".join(sorted(IMAGE_SUFFIXES)),
        )
    order = np.random.default_rng((seed, 0xCA11)).permutation(len(files)).tolist()
    return _hashed([files[i] for i in order[:count]], seed, directory.resolve().name)


def _hashed(files: Sequence[Path], seed: int, source: str) -> CalibrationSet:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode() + b"\0" + read_bytes(path))
    return CalibrationSet(tuple(files), digest.hexdigest(), seed, source)


def write_calibration(
    chosen: CalibrationSet, directory: Path, form: str, spec: PreprocessSpec
) -> list[str]:
    """``calibration.json``, and the images as a vendor's tool wants them.

    Args:
        form: ``list``: no images. ``npy``: one array (N, H, W, C), uint8, in
            the spec's channel order. ``bin``: a raw uint8
            file an image, row by row. ``zip``: the image files as they are.

    Returns:
        Names of the files written.

    Raises:
        DataError: ``directory`` is there already, or an image cannot be decoded.
        EdgectlError: it cannot be written.
    """
    with staged(directory) as place:
        document = json.dumps(chosen.to_dict() | {"input_size": list(spec.input_size)}, indent=1)
        (place / "calibration.json").write_text(document + "\n", encoding="utf-8")
        if form == "npy":
            _write_npy(chosen, place / "calibration.npy", spec)
        if form == "bin":
            for number, batch in enumerate(chosen.images(spec, 1)):
                (place / f"{number:05}.bin").write_bytes(batch[0].tobytes())
        if form == "zip":
            with zipfile.ZipFile(place / "calibration.zip", "w") as archive:
                for number, path in enumerate(chosen.files):
                    archive.writestr(f"{number:05}{path.suffix.lower()}", read_bytes(path))
    return sorted(p.name for p in directory.iterdir())


def _write_npy(chosen: CalibrationSet, file: Path, spec: PreprocessSpec) -> None:
    """Batch by batch. ``np.save`` holds all of them, and does not say why a write was cut short."""
    shape = (len(chosen.files), *spec.input_size, spec.channels)
    with file.open("wb") as f:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(f, header)
        for batch in chosen.images(spec, _WRITE_BATCH):
            f.write(batch.tobytes())
