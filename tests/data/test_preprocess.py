from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgectl.data.images.preprocess import decode, normalize, resize_image, to_gray
from edgectl.errors import DataError
from edgectl.spec import PreprocessSpec

SPECS = [
    PreprocessSpec((96, 128)),
    PreprocessSpec((96, 128), pad_side="center", pad_value=7, channel_order="bgr"),
    PreprocessSpec((128, 96), resize="stretch"),
    PreprocessSpec((96, 128)).to_gray(),
]
RNG = np.random.default_rng(0)
BLUE = (255, 0, 0)
"""In OpenCV's order."""


@pytest.mark.parametrize("spec", SPECS)
@given(height=st.integers(1, 700), width=st.integers(1, 700))
@settings(max_examples=25, deadline=None)
def test_boxes_come_back(spec: PreprocessSpec, height: int, width: int) -> None:
    image, geometry = resize_image(np.zeros((height, width, 3), np.uint8), spec)
    assert image.shape == (*spec.input_size, spec.channels)
    whole = np.array([[0, 0, width, height]], np.float32)
    x0, y0, x1, y1 = geometry.to_input(whole)[0]
    assert x0 >= 0 and y0 >= 0 and x1 <= spec.input_size[1] + 0.5 and y1 <= spec.input_size[0] + 0.5
    np.testing.assert_allclose(geometry.to_original(geometry.to_input(whole)), whole, atol=1e-2)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (40, 60), (96, 128)])
def test_box_bounds_its_object_in_the_input(spec: PreprocessSpec, size: tuple[int, int]) -> None:
    height, width = size
    image = np.full((height, width, 3), 60, np.uint8)
    box = np.array([[width // 4, height // 3, width // 4 + 24, height // 3 + 20]], np.float32)
    x0, y0, x1, y1 = box[0].astype(int)
    image[y0:y1, x0:x1] = BLUE
    resized, geometry = resize_image(image, spec)
    if spec.channels == 1:
        # .114 * 255 is 29, the ground 60, the border 114
        blue = resized[..., 0] < 45
    else:
        blue = resized[..., 2 if spec.channel_order == "rgb" else 0] > 180
    ys, xs = np.nonzero(blue)
    drawn = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    np.testing.assert_allclose(geometry.to_input(box)[0], drawn, atol=1.5)


def test_gray_is_the_luma_of_bt_601() -> None:
    """Pillow's "L" is R * 299/1000 + G * 587/1000 + B * 114/1000, computed on its own; a JPEG's Y plane is
    the same. Fixed point may round a half the other way."""
    image = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    spec = PreprocessSpec((40, 50)).to_gray()
    gray, _ = resize_image(image, spec)
    assert gray.shape == (40, 50, 1)
    theirs = np.asarray(Image.fromarray(image[..., ::-1]).convert("L"), np.int16)
    assert np.abs(gray[..., 0] - theirs).max() <= 1
    assert np.mean(gray[..., 0] != theirs) < 0.02
    levels = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    assert np.array_equal(to_gray(levels), levels[..., :1])  # what has no color keeps its values


def test_a_gray_image_is_normalized_by_the_luma_of_mean_and_std() -> None:
    color = PreprocessSpec((4, 4), mean=(10.0, 20.0, 30.0), std=(50.0, 60.0, 70.0))
    gray = color.to_gray()
    # .299 * 10 + .587 * 20 + .114 * 30, and of the deviations
    assert gray.mean == pytest.approx((18.15,)) and gray.std == pytest.approx((58.15,))
    assert replace(color, channel_order="bgr", mean=color.mean[::-1]).to_gray().mean == gray.mean
    pixels = torch.full((1, 1, 4, 4), 100, dtype=torch.uint8)
    assert normalize(pixels, gray).flatten()[0] == pytest.approx((100 - 18.15) / 58.15)
    assert PreprocessSpec.from_dict(gray.to_dict()) == gray
    with pytest.raises(ValueError, match="one value a channel"):
        PreprocessSpec((4, 4), channel_order="gray")


def test_letterbox_pads_where_it_says() -> None:
    white = np.full((50, 100, 3), 255, np.uint8)
    corner, _ = resize_image(white, PreprocessSpec((100, 100)))
    assert (corner[:50] == 255).all() and (corner[50:] == 114).all()
    centered, _ = resize_image(white, PreprocessSpec((100, 100), pad_side="center"))
    assert (centered[25:75] == 255).all() and (centered[:25] == 114).all()


def test_shrinking_averages() -> None:
    """A checkerboard of single pixels becomes grey; picking every n-th pixel would keep it."""
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    small, _ = resize_image(np.repeat(board[..., None], 3, 2), PreprocessSpec((16, 16)))
    assert ((small > 120) & (small < 136)).all()


def test_normalize_is_the_spec() -> None:
    spec = PreprocessSpec((2, 2), mean=(103.53, 116.28, 123.675), std=(57.375, 57.12, 58.395))
    images = RNG.integers(0, 256, (2, 3, 4, 5), dtype=np.uint8)
    mean, std = (np.array(v)[None, :, None, None] for v in (spec.mean, spec.std))
    x = normalize(torch.from_numpy(images), spec)
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x.numpy(), (images - mean) / std, rtol=1e-5, atol=1e-6)


def test_normalize_keeps_channels_last() -> None:
    x = torch.zeros((2, 4, 5, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    y = normalize(x, PreprocessSpec((4, 5)))
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_decode_gives_three_channels(channels: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pixels = RNG.integers(0, 256, (9, 7, channels), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)
    decoded = decode(path)
    assert decoded.shape == (9, 7, 3) and decoded.dtype == np.uint8
    alpha = pixels[..., 3] / 255 if channels == 4 else 1.0
    # what shows through is the pad value
    expected = pixels[..., 0] * alpha + 114 * (1 - alpha)
    np.testing.assert_allclose(decoded[..., 0], expected, atol=0.51 if channels == 4 else 0)


def _encoded(suffix: str, *parameters: int) -> bytes:
    smooth = cv2.resize(RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8), (320, 240))
    return bytes(cv2.imencode(suffix, smooth, list(parameters))[1].tobytes())


@pytest.mark.parametrize(
    "data",
    [
        _encoded(".jpg"),
        _encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        _encoded(".png"),
        _encoded(".webp"),
    ],
    ids=["jpeg", "progressive jpeg", "png", "webp"],
)
def test_whole_decodes_and_truncated_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    assert decode(path).shape == (240, 320, 3)
    path.write_bytes(data + b"\0 trailing bytes that some cameras append")
    assert decode(path).shape == (240, 320, 3)
    for share in (0.3, 0.7, 0.99):
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(DataError) as e:
            decode(path)
        assert e.value.where == str(path) and e.value.fix


def test_thumbnail_does_not_hide_a_truncation(tmp_path: Path) -> None:
    """An EXIF segment may hold a JPEG with an end marker of its own."""
    data, thumbnail = _encoded(".jpg"), _encoded(".jpg", cv2.IMWRITE_JPEG_QUALITY, 5)
    segment = b"Exif\0\0" + thumbnail
    head = b"\xff\xd8\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    path = tmp_path / "a.jpg"
    path.write_bytes(head + data[2:])
    assert decode(path).shape == (240, 320, 3)
    path.write_bytes((head + data[2:])[:-400])
    with pytest.raises(DataError, match="truncated"):
        decode(path)


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\nIEND"])
def test_rubbish_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError):
        decode(path)


def test_absent_image_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        decode(tmp_path / "absent.jpg")
