"""What image headers say, read without decoding the pixels."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edgectl.data.images import headers
from edgectl.data.images.headers import Header, image_size, read_header

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def png(path: Path) -> bytes:
    cv2.imwrite(str(path), PIXELS)
    return path.read_bytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def turned_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes().removeprefix(b"Exif\0\0")


def test_the_size_of_a_png_needs_no_pixel(tmp_path, monkeypatch):
    png(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "getexif", lambda self: pytest.fail("decodes the image"))
    assert image_size(tmp_path / "a.png") == (30, 20)


@pytest.mark.parametrize("behind", [False, True])
def test_a_png_notes_its_turn_before_or_behind_its_pixels(tmp_path, behind):
    data = png(tmp_path / "a.png")
    at = data.rindex(b"IEND") - 4 if behind else data.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(data[:at] + chunk(b"eXIf", turned_exif()) + data[at:])
    assert read_header(tmp_path / "a.png") == Header((20, 30), turned=True)


def test_a_png_with_text_is_not_turned_by_it(tmp_path):
    data = png(tmp_path / "a.png")
    at = data.index(b"IDAT") - 4
    text = chunk(b"tEXt", b"Comment\0eXIf")
    (tmp_path / "a.png").write_bytes(data[:at] + text + data[at:])
    assert read_header(tmp_path / "a.png") == Header((30, 20), turned=False)


def test_a_packed_image_has_the_same_header(tmp_path, monkeypatch):
    data = png(tmp_path / "a.png")
    monkeypatch.setattr(headers, "pack_of", lambda path: tmp_path)
    monkeypatch.setattr(headers, "read_bytes", lambda path: data)
    assert image_size(tmp_path / "gone.lmdb" / "a.png") == (30, 20)


def test_a_jpeg_held_sideways(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif)
    assert read_header(tmp_path / "a.jpg") == Header((20, 30), turned=True)
