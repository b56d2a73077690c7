"""The ``[backend.ascend]`` table."""

from __future__ import annotations

from typing import Literal

from edgectl.config.schema import StrictModel


class AscendConfig(StrictModel):
    """What atc is told."""

    soc: str = "Ascend310B4"
    """The chip, as ``npu-smi info`` has it: see :mod:`edgectl_ascend.chips`."""
    opset: Literal[11, 12, 13] | None = None
    """13; 11 with int8, since AMCT reads no other."""
    input_format: Literal["RGB888_U8", "YUV420SP_U8"] = "RGB888_U8"
    """What the device is fed: interleaved pixels, or a decoder's NV12 frames."""
    precision_mode: Literal[
        "allow_fp32_to_fp16", "force_fp16", "must_keep_origin_dtype", "allow_mix_precision"
    ] = "allow_fp32_to_fp16"
    log: Literal["debug", "info", "warning", "error", "null"] = "error"
