from __future__ import annotations

import itertools
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgectl.data.formats import read_dataset
from edgectl.data.index import DatasetIndex, Sample
from edgectl.data.writers import WRITERS, write_dataset
from edgectl.errors import DataError, UnknownNameError

BOX_FORMATS = [w.name for w in WRITERS if w.name != "folder"]
CLASSES = ("cat", "dog & friends", "Zebra")
DATA = Path(os.environ.get("EDGECTL_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_bccd = pytest.mark.skipif(not (DATA / "bccd").is_dir(), reason="bccd is absent")


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "a.png"
    cv2.imwrite(str(path), np.zeros((90, 120, 3), np.uint8))
    return path


corner = st.floats(0, 1, allow_nan=False, width=32)
box = st.tuples(corner, corner, corner, corner, st.integers(0, 2)).filter(
    lambda b: abs(b[0] - b[2]) > 0.03 and abs(b[1] - b[3]) > 0.03
)


def sample(picture, rows):
    boxes = np.array(
        [
            [min(a, c) * 120, min(b, d) * 90, max(a, c) * 120, max(b, d) * 90]
            for a, b, c, d, _ in rows
        ],
        np.float32,
    ).reshape(-1, 4)
    labels = np.array([r[4] for r in rows], np.int64)
    return Sample(picture, 120, 90, boxes, labels, np.zeros(len(rows), bool))


def contents(index):
    """{split: [(boxes, class names) of each picture]}, pictures in the order of their names."""
    return {
        split: [
            (s.boxes_xyxy, [index.classes[i] for i in s.labels])
            for s in sorted(samples, key=lambda s: s.path.name)
        ]
        for split, samples in index.splits.items()
    }


def assert_same(a, b, tolerance=0.5):
    a, b = contents(a), contents(b)
    assert a.keys() == b.keys()
    for split, pictures in a.items():
        assert len(pictures) == len(b[split])
        for (boxes, names), (again, names_again) in zip(pictures, b[split], strict=True):
            assert names == names_again
            assert boxes.shape == again.shape
            assert np.abs(boxes - again).max(initial=0) < tolerance


@pytest.mark.parametrize(
    ("first", "second"), [p for p in itertools.product(BOX_FORMATS, repeat=2) if p[0] != p[1]]
)
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(train=st.lists(box, min_size=3, max_size=5), valid=st.lists(box, max_size=2))
def test_every_pair_round_trips(tmp_path_factory, picture, first, second, train, valid):
    # every class must occur: formats without a list of classes know only those that do
    train = [(*row[:4], i % 3) for i, row in enumerate(train)]
    index = DatasetIndex(
        "set",
        picture.parent,
        "coco-2017",
        CLASSES,
        {"train": (sample(picture, train),), "valid": (sample(picture, valid),)},
    )
    where = tmp_path_factory.mktemp("sets")
    write_dataset(index, where / "a", first)
    once = read_dataset(where / "a")
    write_dataset(once, where / "b", second)
    twice = read_dataset(where / "b")
    assert once.format == first
    assert twice.format == second
    assert_same(index, once, 0.01)
    assert_same(index, twice)


def test_two_pictures_of_one_name_stay_two(tmp_path, picture):
    other = tmp_path / "deep" / "A.png"
    other.parent.mkdir()
    other.write_bytes(picture.read_bytes())
    rows = [(0.1, 0.1, 0.5, 0.5, 0)]
    both = (sample(picture, rows), sample(other, rows))
    index = DatasetIndex("set", tmp_path, "x", ("cat",), {"train": both})
    for fmt in BOX_FORMATS:
        write_dataset(index, tmp_path / fmt, fmt)
        assert len(read_dataset(tmp_path / fmt).splits["train"]) == 2


def test_nothing_is_left_of_a_write_that_fails(tmp_path, picture):
    gone = sample(tmp_path / "absent.png", [(0, 0, 1, 1, 0)])
    index = DatasetIndex(
        "set", tmp_path, "x", ("cat",), {"train": (sample(picture, [(0, 0, 1, 1, 0)]), gone)}
    )
    with pytest.raises(FileNotFoundError):
        write_dataset(index, tmp_path / "out", "voc")
    assert not list(tmp_path.iterdir())


def test_a_full_directory_is_not_written_into(tmp_path, picture):
    index = DatasetIndex(
        "set", tmp_path, "x", ("cat",), {"train": (sample(picture, [(0, 0, 1, 1, 0)]),)}
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="not empty"):
        write_dataset(index, tmp_path / "out", "yolo")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_unknown_formats_and_wrong_kinds(tmp_path, picture):
    index = DatasetIndex(
        "set", tmp_path, "x", ("cat",), {"train": (sample(picture, [(0, 0, 1, 1, 0)]),)}
    )
    with pytest.raises(UnknownNameError, match="yolo"):
        write_dataset(index, tmp_path / "out", "yolov5")
    with pytest.raises(DataError, match="folders"):
        write_dataset(index, tmp_path / "out", "folder")


@needs_bccd
def test_bccd_through_all_formats_and_back(tmp_path):
    start = read_dataset(DATA / "bccd")
    assert sum(r.kind == "zero_size_box" for r in start.repairs) == 2
    index = start
    for step, fmt in enumerate(("coco-2017", "yolo", "csv", "voc")):
        write_dataset(index, tmp_path / str(step), fmt)
        index = read_dataset(tmp_path / str(step))
    assert index.format == "voc"
    assert_same(start, index)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("Annotations/a.xml", "<annotation><object>", "not XML"),
        ("Annotations/a.xml", "<!DOCTYPE x [<!ENTITY a 'b'>]><annotation/>", "entities"),
        ("data.yaml", "names: [a]\ntrain: [", "not YAML"),
        ("data.yaml", "names: {1: a}\ntrain: .", "missing"),
        ("data.yaml", "names: [a, a]\ntrain: .", "twice"),
        ("data.yaml", "names: [a]\ntrain: nowhere", "not there"),
        ("annotations.csv", "filename,class\na.png,cat\n", "no column"),
        (
            "annotations.csv",
            "filename,width,height,class,xmin,ymin,xmax,ymax\nx.png,1,1,cat,0,0,1,1\n",
            "absent",
        ),
    ],
)
def test_broken_label_files_are_one_clear_error(tmp_path, file, text, message):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    with pytest.raises(DataError, match=message):
        read_dataset(tmp_path)
