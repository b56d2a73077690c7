from __future__ import annotations

import itertools
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgectl.data.formats import read_dataset
from edgectl.data.formats.writing import WRITERS, write_dataset
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, EdgectlError, UnknownNameError
from edgectl.labels import Sample

BOX_FORMATS = [w.name for w in WRITERS if w.name != "folder"]
CORNERS = ("xmin", "ymin", "xmax", "ymax")
CLASSES = ("cat", "dog & friends", "Zebra")
DATA = Path(os.environ.get("EDGECTL_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_bccd = pytest.mark.skipif(not (DATA / "bccd").is_dir(), reason="bccd is absent")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "a.png"
    cv2.imwrite(str(path), np.zeros((90, 120, 3), np.uint8))
    return path


corner = st.floats(0, 1, allow_nan=False, width=32)
box = st.tuples(corner, corner, corner, corner, st.integers(0, 2)).filter(
    lambda b: abs(b[0] - b[2]) > 0.03 and abs(b[1] - b[3]) > 0.03
)


def sample(image, rows):
    boxes = np.array(
        [
            [min(a, c) * 120, min(b, d) * 90, max(a, c) * 120, max(b, d) * 90]
            for a, b, c, d, _ in rows
        ],
        np.float32,
    ).reshape(-1, 4)
    labels = np.array([r[4] for r in rows], np.int64)
    return Sample(image, 120, 90, boxes, labels, np.zeros(len(rows), bool))


def contents(index):
    """{split: [(boxes, class names) of each image]}, images in the order of their names."""
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
    for split, images in a.items():
        assert len(images) == len(b[split])
        for (boxes, names), (again, names_again) in zip(images, b[split], strict=True):
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
def test_every_pair_round_trips(tmp_path_factory, image, first, second, train, valid):
    index = DatasetIndex(
        "set",
        image.parent,
        "coco-2017",
        CLASSES,
        {"train": (sample(image, train),), "valid": (sample(image, valid),)},
    )
    where = tmp_path_factory.mktemp("sets")
    write_dataset(index, where / "a", first)
    once = read_dataset(where / "a")
    write_dataset(once, where / "b", second)
    twice = read_dataset(where / "b")
    assert once.format == first
    assert twice.format == second
    assert_same(index, once, 0.001)
    assert_same(index, twice)


def test_two_images_of_one_name_stay_two(tmp_path, image):
    other = tmp_path / "deep" / "A.png"
    other.parent.mkdir()
    other.write_bytes(image.read_bytes())
    rows = [(0.1, 0.1, 0.5, 0.5, 0)]
    both = (sample(image, rows), sample(other, rows))
    index = DatasetIndex("set", tmp_path, "x", ("cat",), {"train": both})
    for fmt in BOX_FORMATS:
        write_dataset(index, tmp_path / fmt, fmt)
        assert len(read_dataset(tmp_path / fmt).splits["train"]) == 2


def test_nothing_is_left_of_a_write_that_fails(tmp_path, image):
    gone = sample(tmp_path / "absent.png", [(0, 0, 1, 1, 0)])
    index = DatasetIndex(
        "set", tmp_path, "x", ("cat",), {"train": (sample(image, [(0, 0, 1, 1, 0)]), gone)}
    )
    with pytest.raises(FileNotFoundError):
        write_dataset(index, tmp_path / "out", "voc")
    assert not list(tmp_path.iterdir())


def test_a_full_directory_is_not_written_into(tmp_path, image):
    index = DatasetIndex(
        "set", tmp_path, "x", ("cat",), {"train": (sample(image, [(0, 0, 1, 1, 0)]),)}
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="not empty"):
        write_dataset(index, tmp_path / "out", "yolo")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_unknown_formats_and_wrong_kinds(tmp_path, image):
    index = DatasetIndex(
        "set", tmp_path, "x", ("cat",), {"train": (sample(image, [(0, 0, 1, 1, 0)]),)}
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


def index_of(tmp_path, image, classes, splits):
    """splits: name to the rows of each of its images."""
    samples = {k: tuple(sample(image, rows) for rows in v) for k, v in splits.items()}
    return DatasetIndex("set", tmp_path, "x", classes, samples)


@pytest.mark.parametrize("fmt", BOX_FORMATS)
def test_classes_keep_their_order_and_images_without_objects_stay(tmp_path, image, fmt):
    rows = [(0.1, 0.1, 0.5, 0.5, 1)]
    for name, own in (("some", rows), ("none", [])):
        index = index_of(tmp_path, image, ("zebra", "cat", "ant"), {"train": [own, []]})
        write_dataset(index, tmp_path / name, fmt)
        again = read_dataset(tmp_path / name)
        assert again.classes == ("zebra", "cat", "ant")
        assert [s.labels.tolist() for s in again.splits["train"]] == [[r[4] for r in own], []]


@pytest.mark.parametrize("fmt", ["voc", "csv"])
def test_no_classes_file_where_the_alphabet_says_it(tmp_path, image, fmt):
    index = index_of(tmp_path, image, ("cat",), {"train": [[(0.1, 0.1, 0.5, 0.5, 0)]]})
    write_dataset(index, tmp_path / "out", fmt)
    assert not (tmp_path / "out" / "classes.txt").exists()
    for text, message in (("dog\n", "'cat' is not in it"), ("cat\ncat", "a class twice")):
        (tmp_path / "out" / "classes.txt").write_text(text)
        with pytest.raises(DataError, match=message):
            read_dataset(tmp_path / "out")


@pytest.mark.parametrize("fmt", BOX_FORMATS)
def test_boxes_are_written_as_they_are(tmp_path, image, fmt):
    thin = np.array([[0, 0, 1e-6, 90], [7.1, 3.3, np.nextafter(np.float32(7.1), 8), 4]], np.float32)
    one = Sample(image, 120, 90, thin, np.zeros(2, np.int64), np.zeros(2, bool))
    write_dataset(
        DatasetIndex("set", tmp_path, "x", ("cat",), {"train": (one,)}), tmp_path / "o", fmt
    )
    # as exactly as a float32 can; YOLO's are stated by their middle
    (again,) = read_dataset(tmp_path / "o").splits["train"]
    np.testing.assert_allclose(again.boxes_xyxy, thin, rtol=0, atol=1e-12)


def test_names_with_spaces(tmp_path, image):
    spaced = tmp_path / "my photo 1.png"
    spaced.write_bytes(image.read_bytes())
    for fmt in BOX_FORMATS:
        index = index_of(tmp_path, spaced, ("cat",), {"train": [[(0, 0, 1, 1, 0)]]})
        write_dataset(index, tmp_path / fmt, fmt)
        assert [s.path.name for s in read_dataset(tmp_path / fmt).splits["train"]] == [spaced.name]


@pytest.mark.parametrize(
    ("fmt", "classes", "split", "message"),
    [
        ("voc", ("a\x01b",), "train", "not XML"),
        ("voc", ("", "a"), "train", "without name"),
        ("csv", ("",), "train", "a box without class"),
        ("csv", (" a",), "train", r"\[' a'\] become \['a'\]"),
        ("voc", ("b\nc", "a"), "train", r"b\\nc"),
        ("csv", ("b\nc", "a"), "train", r"b\\nc"),
        ("csv", ("\ud800",), "train", "not text"),
        ("yolo", ("a",), "other", "'other' names a folder of images, and is no split"),
        ("voc", ("a",), "train_1", r"\['train_1'\] become \['train'\]"),
        ("coco", ("a",), "../../out", "directory's name"),
    ],
)
def test_what_a_format_cannot_say_is_one_clear_error(tmp_path, image, fmt, classes, split, message):
    index = index_of(tmp_path, image, classes, {split: [[(0, 0, 1, 1, 0)]]})
    with pytest.raises(DataError, match=message) as e:
        write_dataset(index, tmp_path / "set" / "out", fmt)
    assert "\n" not in str(e.value) and e.value.fix
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_boxes_that_would_move_are_an_error(tmp_path, image):
    """YOLO's boxes are relative to the image as it is, not as an annotation states it."""
    sideways = Sample(
        image, 90, 120, np.array([[0, 0, 9, 9]], np.float32), np.zeros(1, int), np.zeros(1, bool)
    )
    index = DatasetIndex("set", tmp_path, "x", ("cat",), {"train": (sideways,)})
    write_dataset(index, tmp_path / "coco", "coco")
    with pytest.raises(DataError, match=r"is 120x90, its annotation says 90x120"):
        write_dataset(index, tmp_path / "yolo", "yolo")


def test_folders_of_a_pack_without_valid(tmp_path, image):
    """The reader makes a split where there is none; nothing is lost by that."""
    nothing = np.zeros(0, np.int64)
    whole = Sample(image, 0, 0, np.zeros((0, 4), np.float32), nothing, nothing.astype(bool))
    samples = tuple(replace(whole, image_label=i % 2) for i in range(10))
    index = DatasetIndex("set", tmp_path, "x", ("a", "b", "unused"), {"train": samples})
    write_dataset(index, tmp_path / "out", "folder")
    assert sum(len(v) for v in read_dataset(tmp_path / "out").splits.values()) == 10
    with pytest.raises(DataError, match="directory's name"):
        write_dataset(replace(index, classes=("../../a", "b")), tmp_path / "x", "folder")


@pytest.mark.parametrize("fmt", BOX_FORMATS)
@pytest.mark.parametrize("large", ["image", "labels"])
def test_a_full_disk_is_one_clear_error(tmp_path, image, fmt, large, small_files):
    path, rows = tmp_path / "set" / "a.png", [(0, 0, 1, 1, 0)]
    path.parent.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    cv2.imwrite(str(path), noise * (large == "image"))
    index = index_of(tmp_path, path, ("cat",), {"train": [rows * (1 if large == "image" else 999)]})
    with small_files(), pytest.raises(EdgectlError, match="File too large") as e:
        write_dataset(index, tmp_path / "out" / "new", fmt)
    assert e.value.where == str(tmp_path / "out" / "new")
    assert "disk" in str(e.value.fix)
    assert not list((tmp_path / "out").glob("*"))


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path, image):
    (tmp_path / "file").write_text("no directory")
    index = index_of(tmp_path, image, ("cat",), {"train": [[(0, 0, 1, 1, 0)]]})
    with pytest.raises(EdgectlError, match="cannot be written") as e:
        write_dataset(index, tmp_path / "file" / "sub" / "out", "voc")
    assert e.value.fix


@pytest.mark.parametrize("filename", ["b.png", "gone.jpg", "a.png", "", "x" * 300])
def test_voc_annotations_go_with_the_image_of_their_name(tmp_path, image, filename):
    """``<filename>`` is stale where files were renamed or multiplied."""
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "JPEGImages").mkdir()
    text = "<annotation><filename>{}</filename><size><width>120</width><height>90</height></size>{}"
    item = "<object><name>cat</name><bndbox>{}</bndbox></object></annotation>"
    corners = "".join(f"<{k}>{v}</{k}>" for k, v in zip(CORNERS, (1, 2, 30, 40), strict=True))
    for stem, named in (("a", filename), ("b", "b.png")):
        (tmp_path / "JPEGImages" / f"{stem}.png").write_bytes(image.read_bytes())
        xml = text.format(named, item.format(corners))
        (tmp_path / "Annotations" / f"{stem}.xml").write_text(xml)
    names = [s.path.name for s in read_dataset(tmp_path).splits["train"]]
    assert names == ["a.png", "b.png"]
    # with no image of its own, an annotation has the one it names
    (tmp_path / "JPEGImages" / "a.png").rename(tmp_path / "JPEGImages" / "other.png")
    file = tmp_path / "Annotations" / "a.xml"
    file.write_text(text.format("other.png", item.format(corners)))
    names = [s.path.name for s in read_dataset(tmp_path).splits["train"]]
    assert names == ["other.png", "b.png"]
    file.write_text(text.format("x" * 300, item.format(corners)))
    with pytest.raises(DataError, match="too long"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("name", ["/etc/hostname", "../outside.png", "x" * 300])
def test_csv_names_stay_in_the_set(tmp_path, image, name):
    (tmp_path / "outside.png").write_bytes(image.read_bytes())
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "annotations.csv").write_text(
        f"filename,width,height,class,xmin,ymin,xmax,ymax\n{name},120,90,cat,0,0,9,9\n"
    )
    with pytest.raises(DataError, match=r"leaves the data set|too long") as e:
        read_dataset(tmp_path / "set")
    assert e.value.where == str(tmp_path / "set" / "annotations.csv")


def test_yolo_folders_of_no_possible_name(tmp_path):
    for text in (f"train: {'x' * 300}", f"path: {'x' * 300}\ntrain: a"):
        (tmp_path / "data.yaml").write_text(f"names: [a]\n{text}\n")
        with pytest.raises(DataError, match="too long"):
            read_dataset(tmp_path)
