"""Damaged label files of every format: one clear error, or boxes that the file states.

Three promises: never a traceback; never a box that no line of the files states; never fewer boxes than the
files state, beyond what is noted, without an error.
"""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from edgectl.data.catalog.opening import open_dataset
from edgectl.data.formats.reading.losses import LARGEST_SHARE
from edgectl.errors import EdgectlError

from .exports.scenes import make_scenes
from .exports.writers import WRITERS
from .test_fuzz import mutate

KINDS = [k for k in WRITERS if not k.startswith("zip")]
LABELS = (".json", ".xml", ".txt", ".csv", ".yaml", ".labels", ".data", ".names")
NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
# what each object has once, in the words of its format
MARKS = {
    "coco": rb'"category_id"',
    "coco segments": rb'"segmentation"',
    "voc": rb"<bndbox>",
    "labelme": rb'"points"',
    "label studio": rb'"value"',
    "cvat": rb"(<box |<polygon )",
    "datumaro": rb'"label_id"',
    "edge impulse": rb'"label"',
}
TEXT = ("yolo", "kitti")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    made = {}
    for kind in KINDS:
        made[kind] = WRITERS[kind](root / kind / "set", *make_scenes(3)), root / kind / "set"
    return made


def label_files(root):
    return sorted(p for p in root.rglob("*") if p.is_file() and p.suffix in LABELS)


def is_label(path, kind):
    """Whether a text file holds objects, not names or lists."""
    name = path.name
    return not (name in ("classes.txt", "obj.names") or path.parent.name == "Main") and not (
        kind.startswith("yolo") and name in ("train.txt", "val.txt")
    )


def count_stated(root, kind):
    """Objects by their marks; lines with five numbers or more in text."""
    total = 0
    for path in label_files(root):
        data = path.read_bytes()
        if kind.startswith(TEXT) and path.suffix == ".txt" and is_label(path, kind):
            total += sum(len(line.split()) > 4 for line in data.splitlines())
        elif kind.startswith(("csv", "openimages")) and path.suffix == ".csv":
            if not path.name.startswith("class"):
                total += sum(line.count(b",") > 2 for line in data.splitlines()[1:])
        else:
            mark = MARKS.get(kind) or MARKS.get(kind.split()[0])
            total += len(re.findall(mark, data)) if mark else 0
    return total


def numbers_of(root):
    """Every number of every label file, by itself and as a percentage."""
    values = [0.0]
    for path in label_files(root):
        values += [float(m) for m in NUMBER.findall(path.read_bytes())]
    found = np.array(values)
    return np.unique(found[np.isfinite(found) & (np.abs(found) < 1e7)])


def require_stated(sample, values, kind):
    """Each side of each box lies where some numbers of the files put it, or on the image's edge."""
    size = (sample.width, sample.height)
    for axis in (0, 1):
        length = size[axis]
        for low, high in sample.boxes_xyxy[:, [axis, axis + 2]].tolist():
            if not (is_said(low, values, length) and is_said(high, values, length)):
                raise AssertionError(f"{kind}: {low:g}..{high:g} of {length} is nowhere stated")


def is_said(value, values, length, tolerance=0.02):
    """As a coordinate, a share or a percentage; as a corner and a side; as a middle and half a side."""
    if min(abs(value), abs(value - length)) < tolerance:
        return True
    for scale in (1.0, length, length / 100):
        own = values * scale
        if np.abs(own - value).min() < tolerance:
            return True
        for half in (1.0, -1.0, 0.5, -0.5):
            rest = np.sort(own)
            wanted = value - half * own
            at = np.clip(np.searchsorted(rest, wanted), 1, len(rest) - 1)
            if (
                min(np.abs(rest[at] - wanted).min(), np.abs(rest[at - 1] - wanted).min())
                < tolerance
            ):
                return True
    return False


def attack(sets, kind, seed, place):
    rng = np.random.default_rng(seed)
    path, root = sets[kind]
    shutil.copytree(root, place)
    target = place / path.relative_to(root)
    victims = label_files(place)
    victim = victims[int(rng.integers(len(victims)))]
    victim.write_bytes(mutate(victim.read_bytes(), rng))
    stated = count_stated(place, kind)
    try:
        index = open_dataset(target, infos=[], offline=True)
    except EdgectlError as e:
        assert "\n" not in e.message and len(e.message) < 600
        assert e.fix or e.where
        return "refused"
    finally:
        values = numbers_of(place)
        shutil.rmtree(place)
    samples = [s for v in index.splits.values() for s in v]
    for sample in samples:
        require_stated(sample, values, kind)
    if victim.suffix == ".txt" and not is_label(victim, kind):
        return "read"  # a list says which images belong to a split: fewer is what it says
    read = sum(len(s.labels) for s in samples)
    noted = sum(max(r.lost, r.count) for r in index.repairs)
    assert read + noted >= (1 - LARGEST_SHARE) * stated, f"{kind} {seed}: {read} of {stated}"
    return "read"


def test_a_hundred_mutants(sets, tmp_path):
    outcomes = [attack(sets, KINDS[i % len(KINDS)], i, tmp_path / "victim") for i in range(108)]
    assert {"refused", "read"} == set(outcomes), (
        "the mutants are neither all harmless nor all fatal"
    )


@pytest.mark.slow
def test_two_thousand_mutants(sets, tmp_path):
    for i in range(2000):
        attack(sets, KINDS[i % len(KINDS)], 1000 + i, tmp_path / "victim")
