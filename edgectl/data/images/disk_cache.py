"""Decoded pictures in a memory-mapped file, for sets that do not fit into memory.

Made once for a set and an input size, in the user's cache directory, and found again by the next run. The
operating system keeps in memory what fits; the process itself holds labels and offsets only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgectl.config.paths import cache_directory
from edgectl.data.images.cache import Picture, PictureCache, cached_size, read_picture
from edgectl.data.images.storage import version_of
from edgectl.errors import EdgectlError
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec

_RAM_LIMIT = 1 << 30
_UNKNOWN_SIDE = 640
"""Assumed of pictures whose format states no size."""


class Pictures(Protocol):
    """A sequence of training pictures."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Picture: ...


def open_cache(samples: Sequence[Sample], spec: PreprocessSpec, kind: str) -> Pictures:
    """``kind`` as ``data.cache`` in the configuration."""
    if kind == "auto":
        kind = "ram" if expected_bytes(samples, spec) <= _RAM_LIMIT else "disk"
    if kind == "disk":
        return DiskPictures(samples, spec)
    return PictureCache(samples, spec, enabled=kind == "ram")


def expected_bytes(samples: Sequence[Sample], spec: PreprocessSpec) -> int:
    """Of all decoded pictures."""
    total = 0
    for s in samples:
        height, width = cached_size(s.height or _UNKNOWN_SIDE, s.width or _UNKNOWN_SIDE, spec)
        total += height * width * 3
    return total


class DiskPictures:
    """Raises DataError as :class:`PictureCache`, EdgectlError where the file cannot be written."""

    def __init__(self, samples: Sequence[Sample], spec: PreprocessSpec) -> None:
        directory = cache_directory() / "pictures"
        pixels, labels = (directory / f"{_key(samples, spec)}.{s}" for s in ("bin", "json"))
        if not labels.is_file():
            _write(samples, spec, pixels, labels)
        self._rows: list[dict[str, Any]] = json.loads(labels.read_text(encoding="ascii"))
        self._pixels = np.memmap(pixels, np.uint8, mode="r")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Picture:
        row = self._rows[index]
        height, width = row["size"]
        first = row["offset"]
        pixels = self._pixels[first : first + height * width * 3].reshape(height, width, 3)
        return Picture(
            np.asarray(pixels),
            np.array(row["boxes"], np.float32).reshape(-1, 4),
            np.array(row["labels"], np.int64),
            row["image_label"],
        )


def _key(samples: Sequence[Sample], spec: PreprocessSpec) -> str:
    """Changes with any picture, any label, and what the spec makes of them."""
    h = hashlib.sha256(
        f"3 {spec.input_size} {spec.channel_order} {spec.resize} {spec.pad_value}".encode()
    )
    for s in samples:
        h.update(f"{s.path.resolve()}\0{version_of(s.path)}\0{s.image_label}\0".encode())
        for array in (s.boxes_xyxy, s.labels, s.crowd):
            h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()[:24]


def _write(samples: Sequence[Sample], spec: PreprocessSpec, pixels: Path, labels: Path) -> None:
    """Labels are renamed into place last: they say that the pixels are whole."""
    rows, offset = [], 0
    names: list[str] = []
    try:
        pixels.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=pixels.parent, delete=False) as out:
            names.append(out.name)
            for sample in samples:
                picture = read_picture(sample, spec)
                out.write(picture.pixels.tobytes())
                rows.append(
                    {
                        "offset": offset,
                        "size": picture.pixels.shape[:2],
                        "boxes": picture.boxes_xyxy.tolist(),
                        "labels": picture.labels.tolist(),
                        "image_label": picture.image_label,
                    }
                )
                offset += picture.pixels.nbytes
        with tempfile.NamedTemporaryFile("w", dir=pixels.parent, delete=False) as text:
            names.append(text.name)
            json.dump(rows, text)
        Path(names[0]).replace(pixels)
        Path(names[1]).replace(labels)
    except OSError as e:
        raise EdgectlError(
            f"decoded pictures cannot be kept: {e.strerror or e}",
            where=str(pixels.parent),
            fix="free disk space, set EDGECTL_CACHE to another disk, or --set data.cache=off",
        ) from e
    finally:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
