"""Images OpenCV would read wrongly in silence, and images that cannot be read."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edgectl.data.formats import read_dataset
from edgectl.data.formats.reading.options import ReadOptions
from edgectl.data.images import kinds
from edgectl.data.images.disk_cache import open_cache
from edgectl.data.images.headers import image_size
from edgectl.data.images.preprocess import decode, decode_with_note
from edgectl.data.select.readable import leave_out_unreadable
from edgectl.errors import DataError, DependencyError
from edgectl.spec import PreprocessSpec

RAMP = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
COLORS = np.dstack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 90)])  # rgb


def saved(path, image, **options):
    Image.fromarray(image).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".png", ".ppm", ".bmp"])
def test_lossless_kinds_give_the_pixels_back(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", COLORS)
    assert np.array_equal(decode(path), COLORS[:, :, ::-1])
    assert image_size(path) == (64, 48)
    assert suffix in kinds.IMAGE_SUFFIXES


@pytest.mark.parametrize(("suffix", "package"), [(".heic", "pillow_heif"), (".avif", "PIL")])
def test_telephone_images_are_read(tmp_path, suffix, package):
    pytest.importorskip(package)
    path = tmp_path / f"a{suffix}"
    try:
        if suffix == ".heic":
            import pillow_heif

            pillow_heif.register_heif_opener()
        saved(path, COLORS, quality=95)
    except (KeyError, OSError):
        pytest.skip("this Pillow cannot write it")
    assert np.abs(decode(path).astype(int) - COLORS[:, :, ::-1]).mean() < 6
    assert image_size(path) == (64, 48)


def test_without_the_plugin_one_error_names_the_extra(tmp_path, monkeypatch):
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(64))
    monkeypatch.setattr(kinds, "_reads_heif", lambda avif: False)
    for read in (decode, image_size):
        with pytest.raises(DependencyError) as caught:
            read(path)
        assert "edgectl[images]" in caught.value.fix


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_deep_values_are_scaled_by_their_range(tmp_path, bits, suffix):
    deep = np.rint(RAMP / 255.0 * (2**bits - 1)).astype(np.uint16)
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), deep)
    pixels, note = decode_with_note(path)
    assert np.abs(pixels[:, :, 0].astype(int) - RAMP).max() <= 1
    assert str(2**bits - 1) in note


def test_deep_colors_keep_their_channels(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), COLORS[:, :, ::-1].astype(np.uint16) * 257)
    assert np.array_equal(decode(tmp_path / "a.png"), COLORS[:, :, ::-1])


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_transparent_pixels_are_laid_over_the_pad_value(tmp_path, suffix):
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, :20], alpha[:, 20:40] = 0, 128
    image = np.dstack([COLORS, alpha])
    options = {"lossless": True} if suffix == ".webp" else {}
    path = saved(tmp_path / f"a{suffix}", image, **options)
    pixels, note = decode_with_note(path, background=200)
    assert (pixels[:, :20] == 200).all()
    assert np.array_equal(pixels[:, 40:], COLORS[:, 40:, ::-1])
    half = COLORS[:, 20:40, ::-1] * (128 / 255) + 200 * (127 / 255)
    assert np.abs(pixels[:, 20:40] - half).max() <= 1
    assert "200" in note


def test_an_opaque_alpha_channel_changes_nothing(tmp_path):
    path = saved(tmp_path / "a.png", np.dstack([COLORS, np.full_like(RAMP, 255)]))
    pixels, note = decode_with_note(path)
    assert np.array_equal(pixels, COLORS[:, :, ::-1])
    assert not note


def test_a_turned_tiff_is_shown_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.tif", COLORS, exif=exif)
    assert image_size(path) == (48, 64)
    assert np.array_equal(decode(path), np.rot90(COLORS[:, :, ::-1], -1))
    assert np.array_equal(decode(path, stored=True), COLORS[:, :, ::-1])


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_damaged_files_are_data_errors(tmp_path, cut):
    for suffix in (".tif", ".png"):
        buffer = io.BytesIO()
        alpha = np.dstack([COLORS, RAMP])
        Image.fromarray(alpha).save(buffer, format="TIFF" if suffix == ".tif" else "PNG")
        path = tmp_path / f"a{suffix}"
        path.write_bytes(buffer.getvalue()[: int(cut * len(buffer.getvalue()))])
        with pytest.raises(DataError):
            decode(path)


@pytest.mark.parametrize("layout", ["csv", "coco"])
def test_damaged_headers_are_left_out_on_request_by_every_reader(tmp_path, layout):
    """Sets that state no sizes: their readers ask the images."""
    for i in range(40):
        saved(tmp_path / f"{i}.png", COLORS)
    bad = tmp_path / "7.png"
    bad.write_bytes(bad.read_bytes()[:20])
    if layout == "csv":
        lines = [f"{i}.png,1,1,3,3,thing" for i in range(40)]
        (tmp_path / "labels.csv").write_text(
            "\n".join(["filename,xmin,ymin,xmax,ymax,class", *lines])
        )
    else:
        document = {
            "images": [{"id": i, "file_name": f"{i}.png"} for i in range(40)],
            "annotations": [
                {"id": i, "image_id": i, "category_id": 1, "bbox": [1, 1, 2, 2]} for i in range(40)
            ],
            "categories": [{"id": 1, "name": "thing"}],
        }
        (tmp_path / "_annotations.coco.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="not an image"):
        read_dataset(tmp_path)
    index = read_dataset(tmp_path, options=ReadOptions(skip_unreadable=True))
    assert sum(map(len, index.splits.values())) == 39
    assert [r.file for r in index.repairs if r.kind == "unreadable_image"] == ["7.png"]


def test_unreadable_images_are_left_out_on_request(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / "train" / label).mkdir(parents=True)
        for i in range(5):
            saved(tmp_path / "train" / label / f"{i}.png", COLORS)
    bad = tmp_path / "train" / "cat" / "2.png"
    bad.write_bytes(bad.read_bytes()[:60])
    index = read_dataset(tmp_path)
    kept, skipped = leave_out_unreadable(index)
    assert [p for p, _ in skipped] == [bad]
    assert "truncated" in skipped[0][1]
    total = sum(map(len, index.splits.values()))
    assert sum(map(len, kept.splits.values())) == total - 1
    samples = [s for v in index.splits.values() for s in v]
    with pytest.raises(DataError) as caught:
        open_cache(samples, PreprocessSpec((32, 32)), "ram")
    assert "data.on_error=skip" in caught.value.fix
    assert Path(caught.value.where) == bad
