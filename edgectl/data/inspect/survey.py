"""One look at every image of a set: can it be decoded, how large is it, what does it look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edgectl.data.images.headers import read_header
from edgectl.data.images.preprocess import decode_with_note
from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.similarity import Fingerprint, fingerprint
from edgectl.errors import DataError
from edgectl.labels import Sample

_WORKERS = 4
_BLOCK = 64
BLANK = 3.0
"""Spread below which an image shows nothing."""


@dataclass(frozen=True)
class ImageFacts:
    """Attributes:
    split, path: where it belongs.
    size: (width, height) upright, None where it cannot be decoded.
    stated: (width, height) of the annotation, (0, 0) where it says none.
    problem: why it cannot be decoded, or empty.
    brightness: mean of all values, 0..255.
    spread: standard deviation of all values; near 0 is a blank image.
    fingerprint: what it looks like, for finding copies; None of blank images, which all look alike.
    note: what reading did to its values, or empty.
    rotated: EXIF notes a rotation that exchanges the sides.
    """

    split: str
    path: Path
    size: tuple[int, int] | None
    stated: tuple[int, int]
    problem: str
    brightness: float = 0.0
    spread: float = 0.0
    fingerprint: Fingerprint | None = None
    note: str = ""
    rotated: bool = False

    @property
    def turned(self) -> bool:
        """The annotation states the sides the other way round, as they are stored: EXIF rotation."""
        return (
            self.rotated
            and self.size is not None
            and self.size != self.stated
            and self.size == (self.stated[1], self.stated[0])
        )


def survey(index: DatasetIndex, seen: Callable[[], None] = lambda: None) -> list[ImageFacts]:
    """Every image of every split, in order. ``seen`` is called after each."""
    wanted = ((split, s) for split, samples in index.splits.items() for s in samples)
    facts: list[ImageFacts] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        # in blocks, so that a large set's decoded images never wait in memory
        for block in iter(lambda: list(islice(wanted, _BLOCK)), []):
            for fact in _looked_at(pool, block):
                facts.append(fact)
                seen()
    return facts


def _looked_at(pool: ThreadPoolExecutor, block: list[tuple[str, Sample]]) -> Iterator[ImageFacts]:
    yield from pool.map(lambda item: look(*item), block)


def look(split: str, sample: Sample) -> ImageFacts:
    """Decodes one image."""
    stated = (sample.width, sample.height)
    try:
        # a header that promises a gigantic image is refused before it is decoded
        header = read_header(sample.path)
        pixels, note = decode_with_note(sample.path)
    except DataError as e:
        return ImageFacts(split, sample.path, None, stated, e.message)
    height, width = pixels.shape[:2]
    spread = float(pixels.std())
    return ImageFacts(
        split,
        sample.path,
        (width, height),
        stated,
        "",
        float(pixels.mean()),
        spread,
        fingerprint(pixels) if spread >= BLANK else None,
        note,
        header.turned,
    )
