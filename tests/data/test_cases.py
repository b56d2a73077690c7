"""Sets as tools and people write them: each gives its right value, or one error with a remedy."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from edgectl.data.catalog.opening import open_dataset
from edgectl.data.formats.reading.options import ReadOptions
from edgectl.data.formats.tolerance import tolerant
from edgectl.errors import DataError

CASES = Path(__file__).parents[2].parent / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are absent")

# split -> (images, images without objects, boxes); the class names where they are at stake
TWELVE = {"train": (6, 0, 12)}
SIXTEEN = {**TWELVE, "valid": (2, 0, 4)}
RIGHT = {
    "cls_corrupt_picture": {"train": (10, 0, 0), "valid": (2, 0, 0)},
    "cls_unlabelled_test": {"train": (10, 0, 0), "valid": (2, 0, 0)},
    "coco_cat0_none_unused": TWELVE,
    "coco_empty_bbox_negative": {"train": (6, 1, 10)},
    "coco_float_ids": TWELVE,
    "coco_nfd_names": TWELVE,
    "coco_seg_without_bbox": TWELVE,
    "coco_string_category_ids": TWELVE,
    "coco_ultralytics_layout": TWELVE,
    "csv_kaggle_wheat": TWELVE,
    "cvat_coco_flat_images": SIXTEEN,
    "cvat_ultralytics": TWELVE,
    "cvat_voc_default_split": TWELVE,
    "cvat_voc_negative_no_xml": {"train": (6, 1, 10)},
    "edge_impulse_export": {"train": (6, 0, 12), "test": (2, 0, 4)},
    "labelimg_voc_beside": TWELVE,
    "labelme_json": TWELVE,
    "ls_coco_backslash_project": TWELVE,
    "ls_coco_local_files_url": TWELVE,
    "ls_coco_null_size": {"train": (7, 1, 12)},
    "ls_voc_images": TWELVE,
    "ls_yolo_no_yaml": TWELVE,
    "real_datumaro_coco": {"train": (8, 1, 14), "valid": (4, 1, 6)},
    "real_datumaro_json": {"train": (8, 1, 14), "valid": (4, 1, 6)},
    "real_datumaro_openimages": {"train": (8, 1, 14), "valid": (4, 1, 6)},
    "real_datumaro_voc": {"train": (8, 1, 14), "valid": (4, 1, 6)},
    "real_datumaro_yolo11": {"train": (8, 1, 14)},
    "real_supervision_coco": {"train": (6, 1, 10)},
    "rf_voc": SIXTEEN,
    "rf_yolo_test_absent": SIXTEEN,
    "voc_nested_mixed": TWELVE,
    "voc_reversed_corners": TWELVE,
    "yolo_12bit_png": SIXTEEN,
    "yolo_appledouble": SIXTEEN,
    "yolo_conf_column": SIXTEEN,
    "yolo_cvat_track_id": SIXTEEN,
    "yolo_labels_in_images_folder": SIXTEEN,
    "yolo_mixed_seg_box": SIXTEEN,
    "yolo_names_string_keys": SIXTEEN,
    "yolo_names_yes_no": SIXTEEN,
    "yolo_nc_mismatch": SIXTEEN,
    "yolo_path_from_cwd": SIXTEEN,
    "yolo_pose_labels": SIXTEEN,
    "yolo_same_stem": {"train": (7, 0, 14), "valid": (2, 0, 4)},
    "yolo_train_txt_other_machine": SIXTEEN,
    "zip_export": SIXTEEN,
}
REFUSED = {
    "coco_rle_all_crowd": ("crowd regions", "iscrowd"),
    "coco_size_swapped": ("the image is 160x120", "Export images and labels together"),
    "cvat_video_frames_collide": ("'train' and 'valid', with other labels", "export again"),
    "real_ls_coco": ("6 images .* absent", r"a b\.jpg, names decoded.*--set data.images=DIR"),
    "real_ls_json": ("is absent, and 5 more", "--set data.images=DIR"),
    "real_ls_yolo": ("a YOLO export without images", "put the images into"),
    "yolo_images_symlink": ("a link that was not kept as one", "--set data.images=DIR"),
    "yolo_names_from_one": ("names begin at 1", "from 0"),
    "yolo_pixels_not_normalised": ("16 of 16 boxes .* pixels", "data.yolo_columns=pixels"),
}
CLASSES = {
    "coco_cat0_none_unused": ("ok", "cat", "dog"),
    "yolo_names_yes_no": ("no", "yes"),
    "csv_kaggle_wheat": ("object",),
}
NOTED = {
    "cls_unlabelled_test": "unlabelled_split",
    "rf_yolo_test_absent": "absent_split",
    "voc_reversed_corners": "exchanged_corners",
    "yolo_conf_column": "columns",
    "yolo_nc_mismatch": "class_count",
    "yolo_same_stem": "shared_label",
    "csv_kaggle_wheat": "columns",
}
FILES = {"zip_export": "set.zip", "yolo_path_from_cwd": "set/data.yaml"}


def open_case(slug, options=ReadOptions()):
    named = FILES.get(slug) or ("set/result.json" if "ls_coco" in slug else "set")
    if slug == "real_ls_json":
        named = "set/result.json"
    os.chdir(CASES / slug)
    return open_dataset(named, infos=[], offline=True, options=options)


@pytest.fixture(autouse=True)
def anywhere(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def counts(index):
    return {
        split: (
            len(samples),
            sum(not len(s.labels) and s.image_label is None for s in samples),
            sum(len(s.labels) for s in samples),
        )
        for split, samples in index.splits.items()
    }


@pytest.mark.parametrize("slug", RIGHT)
def test_what_is_there_is_read(slug):
    index = open_case(slug)
    assert counts(index) == RIGHT[slug]
    if not slug.startswith("cls"):
        assert index.classes == CLASSES.get(slug, ("cat", "dog"))
    if slug in NOTED:
        assert NOTED[slug] in {r.kind for r in index.repairs}
    with tolerant():
        assert counts(open_case(slug)) == counts(index), "data check sees what training sees"


@pytest.mark.parametrize("slug", REFUSED)
def test_what_cannot_be_read_rightly_is_one_error(slug):
    message, remedy = REFUSED[slug]
    with pytest.raises(DataError, match=message) as e:
        open_case(slug)
    assert re.search(remedy, e.value.fix), e.value.fix
    assert "\n" not in str(e.value)
    with tolerant():
        try:
            found = {r.kind for r in open_case(slug).repairs}
        except DataError:
            return
    assert found & {"labels_lost", "shared_image", "missing_image"}, "data check refuses it too"


def test_the_remedy_for_pixels_gives_the_boxes():
    index = open_case("yolo_pixels_not_normalised", ReadOptions(yolo_columns="pixels"))
    assert counts(index) == SIXTEEN
    assert index.splits["train"][0].boxes_xyxy[0].tolist() == [31, 21, 67, 51]


def test_the_remedy_for_images_elsewhere_gives_the_boxes(tmp_path):
    """Label Studio's exports come without the images, which have decoded names."""
    for name in ("a b", "ü#1", "img 100%", "x", "y", "z"):
        source = CASES / "coco_float_ids" / "set" / "train" / "0.jpg"
        (tmp_path / "mine").mkdir(exist_ok=True)
        (tmp_path / "mine" / f"{name}.jpg").write_bytes(source.read_bytes())
    for slug in ("real_ls_coco", "real_ls_json"):
        index = open_case(slug, ReadOptions(images=tmp_path / "mine"))
        assert sum(n for _, _, n in counts(index).values()) > 8


def test_images_of_another_kind_are_read_or_counted():
    try:
        assert counts(open_case("yolo_tif_avif")) == SIXTEEN
    except DataError as e:
        assert "6 of 16 labels would be left out, most for unread image" in e.message


@pytest.mark.parametrize(
    "slug", ["yolo_conf_column", "yolo_cvat_track_id", "yolo_mixed_seg_box", "yolo_pose_labels"]
)
def test_never_other_boxes(slug):
    """These sets were made of the boxes that the plain ones hold."""
    plain = open_case("yolo_names_string_keys")
    read = open_case(slug)
    for split, samples in plain.splits.items():
        for a, b in zip(samples, read.splits[split], strict=True):
            assert a.labels.tolist() == b.labels.tolist()
            assert abs(a.boxes_xyxy - b.boxes_xyxy).max() < 0.01
