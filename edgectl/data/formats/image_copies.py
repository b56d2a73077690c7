"""Copies of images into directories of a written set."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from edgectl.data.images.storage import pack_of, read_bytes
from edgectl.labels import Sample


class ImageCopies:
    """Copies images into directories, each under a name of its own. ``seen`` is called after each."""

    def __init__(self, seen: Callable[[], None] = lambda: None) -> None:
        self._seen = seen
        self.origins: dict[Path, Sample] = {}
        """Copy -> what it was made of."""
        self._taken: dict[Path, set[str]] = {}

    def add(self, sample: Sample, directory: Path) -> Path:
        """The copy. A name that another image has taken gets a number."""
        taken = self._taken.setdefault(directory, set())
        name, number = sample.path.name, 1
        # labels go by the stem in some formats, and file systems may ignore case
        while Path(name).stem.lower() in taken:
            number += 1
            name = f"{sample.path.stem}_{number}{sample.path.suffix}"
        taken.add(Path(name).stem.lower())
        directory.mkdir(parents=True, exist_ok=True)
        target = directory / name
        self.origins[target] = sample
        if pack_of(sample.path) is None:
            shutil.copy2(sample.path, target)
        else:
            target.write_bytes(read_bytes(sample.path))
        self._seen()
        return target
