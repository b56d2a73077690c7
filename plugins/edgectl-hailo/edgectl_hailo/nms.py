"""Boxes decoded and suppressed by HailoRT on the host, for the heads it has a decoder for.

HailoRT's host decoders are yolov5, yolox, yolov8 and ssd (hailort, libhailort/src/net_flow/ops). Of these
only yolov8 goes with heads that tell scores and box sides apart: it takes, a stride, class logits (sigmoid on
the chip) and for each side a distribution over ``regression_length`` distances from the cell's center
(Li et al., 2020, arXiv:2006.04388). Heads that state distances directly are decoded by edgectl's code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgectl.errors import UsageError
from edgectl.spec import OutputSpec, Size

META_ARCHITECTURE = "yolov8"
CLASSES, BOXES = "class_logits", "box_distributions"
"""Kinds of OutputSpec the decoder reads."""
CONFIG_FILE = "nms.json"
_SIDES = 4
_SCORE, _OVERLAP, _MOST = 0.25, 0.65, 100
"""What firmwares show; the overlap of the detection families."""


def nms_config(specs: Sequence[OutputSpec], input_size: Size) -> dict[str, Any]:
    """The configuration in Hailo's layout. ``reg_layer`` and ``cls_layer`` hold OutputSpec names, which
    ``compile.py`` replaces by those the parser gives the layers.

    Raises:
        UsageError: heads HailoRT has no decoder for.
    """
    levels = []
    for stride in sorted({s.stride for s in specs}):
        found = {s.kind: s for s in specs if s.stride == stride}
        if set(found) != {CLASSES, BOXES} or sum(s.stride == stride for s in specs) != len(found):
            raise UsageError(
                "HailoRT has no decoder for heads of "
                + ", ".join(sorted({s.kind for s in specs}))
                + f"; its {META_ARCHITECTURE} takes {CLASSES} with {BOXES} at every stride",
                where="backend.hailo.nms",
                fix="--set backend.hailo.nms=none: boxes are then decoded by the script of edgectl deploy",
            )
        levels.append((stride, found))
    lengths = {found[BOXES].channels // _SIDES for _, found in levels}
    return {
        "nms_scores_th": _SCORE,
        "nms_iou_th": _OVERLAP,
        "image_dims": list(input_size),
        "max_proposals_per_class": _MOST,
        "classes": levels[0][1][CLASSES].channels,
        "regression_length": lengths.pop(),
        "background_removal": False,
        "background_removal_index": 0,
        "bbox_decoders": [
            {
                "name": f"bbox_decoder_{stride}",
                "stride": stride,
                "reg_layer": found[BOXES].name,
                "cls_layer": found[CLASSES].name,
            }
            for stride, found in levels
        ],
    }


def nms_lines(config: dict[str, Any]) -> list[str]:
    """Of the model script; ``{name}`` stands for the parser's name of a head's layer."""
    return [
        *(
            f"change_output_activation({{{decoder['cls_layer']}}}, sigmoid)"
            for decoder in config["bbox_decoders"]
        ),
        f'nms_postprocess("{CONFIG_FILE}", meta_arch={META_ARCHITECTURE}, engine=cpu)',
    ]
