"""Boxes stay on their objects, whichever way the image is stored and whatever its colors."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgectl.data.images.cache import ImageCache
from edgectl.data.images.orientation import read_labelled
from edgectl.data.images.preprocess import decode
from edgectl.data.loading.loader import EvalLoader
from edgectl.errors import DataError
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec

SPEC = PreprocessSpec((96, 96), channel_order="bgr")
BOX = (30, 10, 50, 40)
"""x0, y0, x1, y1 of a bright object in the upright image of 80 x 120 (width x height)."""


def upright() -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 60, (120, 80, 3), dtype=np.uint8)
    image[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 230
    return image


# what EXIF calls each way of storing, and how the stored pixels come out of the upright ones
STORED = {
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.swapaxes(a[::-1, ::-1], 0, 1),
    8: lambda a: np.rot90(a, -1),
}


def write_jpeg(path: Path, pixels: np.ndarray, orientation: int) -> None:
    """With an EXIF segment of one entry, 0x0112."""
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    tiff = io.BytesIO()
    tiff.write(b"MM\0\x2a\0\0\0\x08")  # big endian, first directory at 8
    tiff.write(b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0")
    tiff.write(b"\0\0\0\0")
    segment = b"Exif\0\0" + tiff.getvalue()
    path.write_bytes(
        b"\xff\xd8\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]
    )


def sample(path: Path, width: int, height: int, *boxes: tuple[float, ...]) -> Sample:
    n = len(boxes)
    return Sample(
        path,
        width,
        height,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.zeros(n, np.int64),
        np.zeros(n, bool),
    )


def bright(pixels: np.ndarray) -> list[int]:
    """x0, y0, x1, y1 of what is bright."""
    rows, columns = np.nonzero(pixels.min(axis=2) > 140)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("orientation", STORED)
def test_boxes_drawn_on_upright_pixels(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    write_jpeg(path, STORED[orientation](upright()), orientation)
    labelled = sample(path, 80, 120, BOX)
    pixels, same = read_labelled(labelled)
    assert same is labelled and pixels.shape == (120, 80, 3)
    assert bright(pixels) == list(BOX)


@pytest.mark.parametrize("orientation", STORED)
def test_boxes_drawn_on_stored_pixels(orientation: int, tmp_path: Path) -> None:
    """The annotation states the stored size: its boxes are turned with the pixels."""
    path = tmp_path / "a.jpg"
    stored = STORED[orientation](upright())
    write_jpeg(path, stored, orientation)
    drawn = tuple(float(v) for v in bright(stored))
    pixels, turned = read_labelled(sample(path, 120, 80, drawn))
    assert (turned.width, turned.height) == (80, 120)
    assert turned.boxes_xyxy.tolist() == [list(map(float, BOX))]
    assert bright(pixels) == list(BOX)
    # and so they come to training and to evaluation
    cached = ImageCache([sample(path, 120, 80, drawn)], SPEC)[0]
    assert cached.boxes_xyxy.tolist() == [list(map(float, BOX))]
    (batch,) = EvalLoader([sample(path, 120, 80, drawn)], SPEC, 1)
    np.testing.assert_allclose(batch.targets.boxes_xyxy[0][0], bright(batch.images[0]), atol=1.0)
    (source,) = batch.targets.sources
    assert source.to_original(batch.targets.boxes_xyxy[0].numpy())[0] == pytest.approx(BOX)


def test_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    write_jpeg(path, STORED[6](upright()), 6)
    with pytest.raises(DataError, match="80x120, its annotation says 100x100") as e:
        read_labelled(sample(path, 100, 100))
    assert e.value.where == str(path) and e.value.fix


def test_sides_swapped_without_exif_are_refused(tmp_path: Path) -> None:
    """Nothing says how to turn it."""
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), upright())
    with pytest.raises(DataError, match="its annotation says 120x80"):
        read_labelled(sample(path, 120, 80))


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "RGBA", "CMYK", "I;16"])
def test_color_modes(mode: str, tmp_path: Path) -> None:
    """Whatever the file holds, three channels come out, and nothing moves."""
    pil_image = pytest.importorskip("PIL.Image")
    rgb = pil_image.fromarray(np.ascontiguousarray(upright()[:, :, ::-1]))
    if mode == "I;16":
        made = pil_image.fromarray(np.asarray(rgb.convert("L")).astype(np.uint16) * 257)
    else:
        made = rgb.convert(mode)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    made.save(path, **({"quality": 98} if mode == "CMYK" else {}))
    pixels = decode(path)
    assert pixels.shape == (120, 80, 3) and pixels.dtype == np.uint8
    if mode != "1":  # dithered
        assert bright(pixels) == pytest.approx(list(BOX), abs=1)
    (batch,) = EvalLoader([sample(path, 80, 120, BOX)], SPEC, 1)
    assert batch.images.shape == (1, 96, 96, 3)


def test_what_is_transparent_shows_the_pad_value(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    alpha = np.zeros((120, 80), np.uint8)
    alpha[60:] = 255
    cv2.imwrite(str(path), np.dstack([upright(), alpha]))
    seen = decode(path)
    assert (seen[:60] == SPEC.pad_value).all()
    np.testing.assert_array_equal(seen[60:], upright()[60:])


def test_very_wide_image(tmp_path: Path) -> None:
    """2000 x 4: less than a pixel high at 96."""
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((4, 2000, 3), 99, np.uint8))
    labelled = sample(path, 2000, 4, (100, 1, 300, 3))
    (batch,) = EvalLoader([labelled], SPEC, 1)
    assert (batch.images[0, 0] == 99).all() and (batch.images[0, 1:] == 114).all()
    (source,) = batch.targets.sources
    back = source.to_original(batch.targets.boxes_xyxy[0].numpy())
    np.testing.assert_allclose(back, labelled.boxes_xyxy, atol=1e-3)
    assert ImageCache([labelled], SPEC)[0].pixels.shape[0] >= 1
