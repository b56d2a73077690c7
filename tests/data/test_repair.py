"""What a repaired copy keeps, and what it says of the rest."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from edgectl.data.formats import read_dataset
from edgectl.data.images.orientation import read_labelled
from edgectl.data.inspect import repair
from edgectl.data.inspect.checks import Evidence, run_checks
from edgectl.data.inspect.repair import write_repaired
from edgectl.data.inspect.survey import survey
from edgectl.errors import DataError


def drawing(seed, size=(160, 120)):
    cells = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def write_coco(root, splits):
    """splits: name -> {file: (image, stated size, boxes x y w h)}."""
    import json

    for split, files in splits.items():
        (root / split).mkdir(parents=True)
        document = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cup"}]}
        for number, (name, (image, size, boxes)) in enumerate(files.items(), start=1):
            image.save(root / split / name)
            entry = {"id": number, "file_name": name, "width": size[0], "height": size[1]}
            document["images"].append(entry)
            for box in boxes:
                row = {"id": len(document["annotations"]), "image_id": number, "category_id": 1}
                document["annotations"].append(row | {"bbox": list(box)})
        (root / split / "_annotations.coco.json").write_text(json.dumps(document))


def mended(root, target):
    index = read_dataset(root)
    facts = survey(index)
    found = run_checks(Evidence(index, facts, (64, 64), 8.0))
    return index, write_repaired(index, facts, found, target)


WHOLE = (160, 120)


def test_images_that_show_the_same_are_all_kept(tmp_path):
    box = [(10, 10, 40, 40)]
    files = {f"{i}.png": (drawing(i), WHOLE, box) for i in range(4)}
    files["again.png"] = (drawing(0), WHOLE, [(90, 60, 30, 30)])
    leaked = {"leak.png": (drawing(1), WHOLE, box), "own.png": (drawing(9), WHOLE, box)}
    write_coco(tmp_path / "set", {"train": files, "valid": leaked})
    _, done = mended(tmp_path / "set", tmp_path / "fixed")
    copy = read_dataset(tmp_path / "fixed")
    assert {k: sorted(s.path.name for s in v) for k, v in copy.splits.items()} == {
        "train": ["0.png", "1.png", "2.png", "3.png", "again.png", "leak.png"],
        "valid": ["own.png"],
    }
    assert (done["left_out"], done["labels"]) == (0, 7)
    assert done["announced"] == [
        "1 images moved to the split that shows the same: none is left out"
    ]


def test_boxes_follow_the_true_size_where_the_shape_is_the_same(tmp_path):
    files = {"a.png": (drawing(1), (320, 240), [(20, 40, 100, 80)])}
    files["b.png"] = (drawing(2), (400, 120), [(20, 40, 100, 80)])  # another shape
    files["c.png"] = (drawing(3), WHOLE, [(1, 2, 30, 40)])
    write_coco(tmp_path / "set", {"train": files})
    _, done = mended(tmp_path / "set", tmp_path / "fixed")
    copy = {s.path.name: s for s in read_dataset(tmp_path / "fixed").splits["train"]}
    assert copy.keys() == {"a.png", "c.png"}
    assert copy["a.png"].boxes_xyxy.tolist() == [[10, 20, 60, 60]]  # half of everything
    assert read_labelled(copy["a.png"])[1].width == 160
    text = "; ".join(done["announced"])
    assert "1 images left out: of another shape" in text
    assert "1 labels left out with these images" in text


def test_small_boxes_side_by_side_are_no_repetition(tmp_path):
    boxes = [(10, 10, 3, 3), (11, 10, 3, 3), (50, 50, 60, 60), (50, 50, 60, 61)]
    write_coco(tmp_path / "set", {"train": {"a.png": (drawing(1), WHOLE, boxes)}})
    _, done = mended(tmp_path / "set", tmp_path / "fixed")
    assert done["labels"] == 3
    assert "1 boxes left out: they lie on others" in done["announced"][0]


def test_a_copy_that_lost_more_than_announced_is_not_written(tmp_path, monkeypatch):
    box = [(10, 10, 40, 40)]
    write_coco(
        tmp_path / "set", {"train": {f"{i}.png": (drawing(i), WHOLE, box) for i in range(3)}}
    )
    monkeypatch.setattr(repair, "read_labelled", forget_a_box)
    with pytest.raises(DataError, match="fewer than announced"):
        mended(tmp_path / "set", tmp_path / "fixed")
    assert not (tmp_path / "fixed").exists()


def forget_a_box(sample):
    from dataclasses import replace

    none = slice(0, 0)
    return None, replace(
        sample,
        boxes_xyxy=sample.boxes_xyxy[none],
        labels=sample.labels[none],
        crowd=sample.crowd[none],
        areas=None,
    )
