"""Decoded images in a memory-mapped file, for sets that do not fit into memory.

Made once for a set and an input size, in the user's cache directory, and found again by the next run. The
operating system keeps in memory what fits; the process itself holds labels and offsets only.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edgectl.config.paths import cache_directory
from edgectl.data.images.cache import Image, ImageCache, cached_size, read_image
from edgectl.data.images.storage import version_of
from edgectl.errors import DataError, DependencyError, EdgectlError
from edgectl.files import replacing_file
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec

_RAM_LIMIT = 1 << 30
_FIX = (
    "edgectl data check DATA --fix DIRECTORY writes a copy without such images; "
    "or leave them out: --set data.on_error=skip"
)
_UNKNOWN_SIDE = 640
"""Assumed of images whose format states no size."""


class Images(Protocol):
    """A sequence of training images."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Image: ...


def open_cache(samples: Sequence[Sample], spec: PreprocessSpec, kind: str) -> Images:
    """``kind`` as ``data.cache`` in the configuration. Raises DataError for an unreadable image."""
    if kind == "auto":
        kind = "ram" if expected_bytes(samples, spec) <= _RAM_LIMIT else "disk"
    try:
        if kind == "disk":
            return DiskImages(samples, spec)
        return ImageCache(samples, spec, enabled=kind == "ram")
    except DataError as e:
        raise DataError(e.message, where=e.where, fix=_FIX) from e


def expected_bytes(samples: Sequence[Sample], spec: PreprocessSpec) -> int:
    """Bytes that all decoded images take."""
    total = 0
    for s in samples:
        height, width = cached_size(s.height or _UNKNOWN_SIDE, s.width or _UNKNOWN_SIDE, spec)
        total += height * width * spec.channels
    return total


class DiskImages:
    """Raises DataError as :class:`ImageCache`, EdgectlError where the file cannot be written."""

    def __init__(self, samples: Sequence[Sample], spec: PreprocessSpec) -> None:
        directory = cache_directory() / "images"
        pixels, labels = (directory / f"{_key(samples, spec)}.{s}" for s in ("bin", "json"))
        if not labels.is_file():
            _write(samples, spec, pixels, labels)
        self._rows: list[dict[str, Any]] = json.loads(labels.read_text(encoding="ascii"))
        self._pixels = np.memmap(pixels, np.uint8, mode="r")
        self._channels = spec.channels

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Image:
        row = self._rows[index]
        height, width = row["size"]
        first, shape = row["offset"], (height, width, self._channels)
        pixels = self._pixels[first : first + math.prod(shape)].reshape(shape)
        return Image(
            np.asarray(pixels),
            np.array(row["boxes"], np.float32).reshape(-1, 4),
            np.array(row["labels"], np.int64),
            row["image_label"],
        )


def _key(samples: Sequence[Sample], spec: PreprocessSpec) -> str:
    """Changes with any image, any label, and what the spec makes of them."""
    h = hashlib.sha256(
        f"3 {spec.input_size} {spec.channel_order} {spec.resize} {spec.pad_value}".encode()
    )
    for s in samples:
        h.update(f"{s.path.resolve()}\0{version_of(s.path)}\0{s.image_label}\0".encode())
        for array in (s.boxes_xyxy, s.labels, s.crowd):
            h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()[:24]


def _write(samples: Sequence[Sample], spec: PreprocessSpec, pixels: Path, labels: Path) -> None:
    """Labels get their name last: they say that the pixels are whole."""
    rows, offset = [], 0
    try:
        pixels.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(labels) as text, replacing_file(pixels) as out:
            for sample in samples:
                image = read_image(sample, spec)
                out.write(image.pixels.tobytes())
                rows.append(
                    {
                        "offset": offset,
                        "size": image.pixels.shape[:2],
                        "boxes": image.boxes_xyxy.tolist(),
                        "labels": image.labels.tolist(),
                        "image_label": image.image_label,
                    }
                )
                offset += image.pixels.nbytes
            text.write(json.dumps(rows).encode("ascii"))
    except (OSError, EdgectlError) as e:
        if isinstance(e, DataError | DependencyError):
            raise
        why = (e.strerror or str(e)) if isinstance(e, OSError) else e.message
        raise EdgectlError(
            f"decoded images cannot be kept: {why}",
            where=str(pixels.parent),
            fix="free disk space, set EDGECTL_CACHE to another disk, or --set data.cache=off",
        ) from e
