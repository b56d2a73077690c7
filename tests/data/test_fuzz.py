"""Mutated labels and images: a clear error or a reading, never a crash, never a hang."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from edgectl.data.formats import read_dataset
from edgectl.data.formats.tolerance import tolerant
from edgectl.data.formats.writing import write_dataset
from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.checks import Evidence, run_checks
from edgectl.data.inspect.survey import survey
from edgectl.errors import EdgectlError
from edgectl.labels import Sample

FORMATS = ("coco-2017", "coco-roboflow", "voc", "yolo", "csv")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """The same small set in every format."""
    root = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    samples = []
    for i in range(3):
        path = root / f"{i}.jpg"
        cv2.imwrite(str(path), rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        boxes = np.array([[1, 2, 20, 20], [3, 3, 9, 9]], np.float32)
        samples.append(Sample(path, 32, 24, boxes, np.array([0, 1]), np.zeros(2, bool)))
    index = DatasetIndex("s", root, "x", ("a", "b"), {"train": tuple(samples)})
    for fmt in FORMATS:
        write_dataset(index, root / fmt, fmt)
    return root


def mutate(data, rng):
    """One of: a byte changed, a piece cut out, doubled, or the end lost; or nonsense put in."""
    if not data:
        return b"\x00"
    i, j = sorted(int(v) for v in rng.integers(0, len(data) + 1, 2))
    match int(rng.integers(5)):
        case 0:
            return data[:i] + bytes([int(rng.integers(256))]) + data[i + 1 :]
        case 1:
            return data[:i] + data[j:]
        case 2:
            return data[:j] + data[i:]
        case 3:
            return data[:i]
    words = (b"-1", b"1e309", b"null", b"{}", b"NaN", b"\xff\xfe", b"9" * 40, b"../../x", b"&a;")
    return data[:i] + words[int(rng.integers(len(words)))] + data[i:]


def attack(sets, place, fmt, seed):
    rng = np.random.default_rng(seed)
    shutil.copytree(sets / fmt, place)
    files = sorted(p for p in place.rglob("*") if p.is_file())
    victim = files[int(rng.integers(len(files)))]
    victim.write_bytes(mutate(victim.read_bytes(), rng))
    for context in (tolerant, None):
        try:
            if context is None:
                read_dataset(place)
                continue
            with context():
                index = read_dataset(place)
            run_checks(Evidence(index, survey(index), (64, 64), 8.0))
        except EdgectlError as e:
            assert "\n" not in e.message
    shutil.rmtree(place)


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_thousand_mutations(sets, tmp_path, fmt):
    for seed in range(200):
        attack(sets, tmp_path / "victim", fmt, seed)
