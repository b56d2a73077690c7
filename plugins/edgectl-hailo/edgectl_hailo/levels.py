"""Which optimization level the calibration images allow.

The compiler lowers the level without a word when there are too few: YOLO11 on 128 images fell from mAP50
.548 to .069 (ultralytics, pull request 25231). So the level written is the one that will be used.
Levels (Dataflow Compiler User Guide, Model Optimization): 0 equalization; 1 with iterative bias correction;
2 with fine-tuning; 3 and 4 with adaptive rounding.
"""

from __future__ import annotations

from edgectl_hailo.config import HailoConfig

FULL = 1024
"""Images that levels 2 and above need."""
_WITHOUT = 1
"""Highest level below that number."""
_AUTO = 2


def choose_level(config: HailoConfig, images: int) -> tuple[int, list[str]]:
    """(the level to write, what the user should know)."""
    wanted = _AUTO if config.optimization_level == "auto" else config.optimization_level
    remarks = []
    level = wanted
    if images < FULL:
        level = min(wanted, _WITHOUT)
        fallen = f"level {wanted} falls to {level}" if level < wanted else f"level {level} stays"
        remarks.append(
            f"{images} calibration images; optimization levels from 2 need {FULL}: {fallen} "
            f"(--calib-images {FULL})"
        )
    if level >= 1:
        remarks.append(
            f"optimization level {level} takes hours without a GPU the compiler can use; "
            "there, --set backend.hailo.optimization_level=0"
        )
    if config.finetune == "on" and level < _AUTO:
        remarks.append(
            f"fine-tuning on {images} images may lose more than it wins: {FULL} are usual"
        )
    return level, remarks
