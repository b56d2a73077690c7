"""AIPP: the NPU's preprocessing, generated from the PreprocessSpec, and emulated to prove it.

The host letterboxes and feeds uint8; AIPP converts colors and computes ``(x - mean - min) * var_reci``,
after which the network must not be normalized again. Order of the hardware's steps: exchange of channels
(red and blue, or U and V), crop, color conversion, mean and variance, padding.
https://www.hiascend.com/document (ATC, "AIPP configuration file template")
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgectl.spec import PreprocessSpec

_HALF = 128
# BT.601, studio range, in AIPP's 8-bit fixed point: R, G, B of Y - 16, U - 128, V - 128
_MATRIX = ((298, 0, 409), (298, -100, -208), (298, 516, 0))
_INPUT_BIAS = (16, _HALF, _HALF)
_FIXED_POINT = 8


_GRAY = "YUV400_U8"
"""A plane of luma alone, which is what a network of gray is fed."""


def aipp_config(spec: PreprocessSpec, input_format: str) -> str:
    """Text of ``aipp.cfg``: one static ``aipp_op`` in the protobuf text form.

    input_format: of images in color; those in gray are one plane whatever it says.
    """
    height, width = spec.input_size
    if spec.channels == 1:
        input_format = _GRAY
    fields: list[tuple[str, Any]] = [
        ("aipp_mode", "static"),
        ("input_format", input_format),
        ("src_image_size_w", width),
        ("src_image_size_h", height),
        ("crop", "false"),
    ]
    yuv, bgr = input_format.startswith("YUV") and spec.channels == 3, spec.channel_order == "bgr"
    fields.append(("csc_switch", "true" if yuv else "false"))
    if yuv:
        # the exchange comes before the conversion: blue first is made by the matrix instead
        for row, values in enumerate(_MATRIX[::-1] if bgr else _MATRIX):
            fields += [(f"matrix_r{row}c{column}", v) for column, v in enumerate(values)]
        fields += [(f"input_bias_{i}", v) for i, v in enumerate(_INPUT_BIAS)]
    fields.append(("rbuv_swap_switch", "true" if bgr and not yuv else "false"))
    # mean_chn is an integer; the whole mean goes into min_chn, which is not
    fields += [(f"mean_chn_{i}", 0) for i in range(spec.channels)]
    fields += [(f"min_chn_{i}", f"{m:.6f}") for i, m in enumerate(spec.mean)]
    fields += [(f"var_reci_chn_{i}", f"{1 / s:.10f}") for i, s in enumerate(spec.std)]
    body = "".join(f"    {key}: {value}\n" for key, value in fields)
    return "aipp_op {\n" + body + "}\n"


@dataclass(frozen=True)
class Aipp:
    """An ``aipp.cfg``, read. ``fields``: every ``key: value`` of its one ``aipp_op``."""

    fields: dict[str, str]

    def number(self, key: str, default: float) -> float:
        """A field, or what AIPP takes where it is left out."""
        return float(self.fields.get(key, default))

    def flag(self, key: str) -> bool:
        """A switch; off where it is left out."""
        return self.fields.get(key, "false") == "true"


def read_aipp(text: str) -> Aipp:
    """Raises ValueError for anything but one static ``aipp_op`` of flat fields."""
    match = re.fullmatch(r"\s*aipp_op\s*\{([^{}]*)\}\s*", text)
    if match is None:
        raise ValueError("not one aipp_op block")
    fields = dict(re.findall(r"(\w+)\s*:\s*(\S+)", match[1]))
    if fields.get("aipp_mode") != "static" or "input_format" not in fields:
        raise ValueError("aipp_mode static and an input_format are wanted")
    return Aipp(fields)


def emulate(aipp: Aipp, frame: np.ndarray) -> np.ndarray:
    """What the network receives, computed as the hardware does.

    Args:
        frame: uint8, (H, W, 3) rgb for RGB888_U8; (H * 3 / 2, W) NV12 for YUV420SP_U8; (H, W, 1) for
            YUV400_U8.

    Returns:
        float32 (C, H, W).
    """
    pixels = _converted(aipp, frame)
    channels = []
    for i in range(pixels.shape[2]):
        x = pixels[..., i].astype(np.float32)
        x = (
            x
            - np.float32(aipp.number(f"mean_chn_{i}", 0))
            - np.float32(aipp.number(f"min_chn_{i}", 0))
        )
        channels.append(x * np.float32(aipp.number(f"var_reci_chn_{i}", 1)))
    return np.stack(channels)


def _converted(aipp: Aipp, frame: np.ndarray) -> np.ndarray:
    """(H, W, C) uint8, exchanged, then converted."""
    swap = aipp.flag("rbuv_swap_switch")
    if not aipp.flag("csc_switch"):
        return frame[..., ::-1] if swap else frame
    height = int(aipp.number("src_image_size_h", 0))
    luma = frame[:height].astype(np.int32)
    chroma = frame[height:].reshape(height // 2, -1, 2).astype(np.int32)
    chroma = chroma[..., ::-1] if swap else chroma
    planes = [luma, *(chroma[..., i].repeat(2, 0).repeat(2, 1) for i in range(2))]
    centered = [p - int(aipp.number(f"input_bias_{i}", 0)) for i, p in enumerate(planes)]
    rows = [
        sum(int(aipp.number(f"matrix_r{r}c{c}", 0)) * centered[c] for c in range(3))
        for r in range(3)
    ]
    rounded = [(np.asarray(v) + (1 << (_FIXED_POINT - 1))) >> _FIXED_POINT for v in rows]
    return np.clip(np.stack(rounded, axis=-1), 0, 255).astype(np.uint8)


def to_nv12(image_rgb: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) to (H * 3 / 2, W): what a hardware decoder would hand over. Even sizes only."""
    height, width = image_rgb.shape[:2]
    r, g, b = (image_rgb[..., i].astype(np.float64) for i in range(3))
    y = 16 + 0.256788 * r + 0.504129 * g + 0.097906 * b
    u = _HALF - 0.148223 * r - 0.290993 * g + 0.439216 * b
    v = _HALF + 0.439216 * r - 0.367788 * g - 0.071427 * b
    quarters = [p.reshape(height // 2, 2, width // 2, 2).mean((1, 3)) for p in (u, v)]
    chroma = np.stack(quarters, axis=-1).reshape(height // 2, width)
    return np.concatenate([y, chroma]).round().clip(0, 255).astype(np.uint8)
