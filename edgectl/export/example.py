"""The program in an artifact's README: from an image file to results, with nothing of edgectl's.

Put together from the very functions boards are given (``deploy/board``), of which it takes those the model's
rule needs, and from the lines a backend has for opening its file. A test runs it against ``predict``.
"""

from __future__ import annotations

import ast
import json
from importlib import resources
from typing import Any

from edgectl.artifacts.manifest import Manifest
from edgectl.errors import EdgectlError
from edgectl.tasks.decode_rule import decode_rule
from edgectl.tasks.lookup import load_task, task_info

THRESHOLD, OVERLAP = 0.25, 0.65
"""Of detectors, whose checkpoints store none: what firmwares show."""
_SHARED = {"sigmoid", "scores_of"}
_PROGRAMS = {
    "classes": {"classes"},
    "cells": {"AROUND", "shifted", "centers", "highest_around"},
    "boxes": {"boxes", "corners_of", "suppress"},
}
_CALLS = {
    "classes": "classes(*outputs[0])",
    "cells": 'centers(*outputs[0], MODEL["threshold"])',
    "boxes": 'boxes(outputs, MODEL, MODEL["decode"])',
}
_IMAGES = {"INTERPOLATIONS", "geometry", "to_original"}


def write_example(manifest: Manifest, runtime: str) -> str:
    """Markdown: the program; empty where core's decoders do not read the heads.

    Args:
        runtime: Python that defines ``run(pixels)``: uint8 (rows, columns, channels), in the order the file
            takes, to {output: float32 (C, rows, columns) or (C,)}.
    """
    try:
        rule = decode_rule(manifest.task, manifest.outputs)
        own = load_task(manifest.task).board_decoder()
    except EdgectlError:
        return ""  # heads nobody said how to read
    if own is not None or rule.program not in _PROGRAMS:
        return ""
    names = _SHARED | _PROGRAMS[rule.program]
    model = json.dumps(_describe(manifest, rule.to_dict()), ensure_ascii=False)
    lines = [
        "## From an image to results",
        "",
        "Everything the file leaves to its program: resizing, decoding, merging, the threshold. Rows of an "
        "output run from the top, cells of a row from the left.",
        "",
        "```python",
        "import json",
        "import sys",
        "",
        "import cv2",
        "import numpy as np",
        "",
        f"MODEL = json.loads(r'''{model}''')",
        "",
        _pick("images.py", _IMAGES),
        "",
        _PREPARE,
        "",
        runtime.strip(),
        "",
        _pick("decode.py", names),
        "",
        _MAIN.replace("DECODE", _CALLS[rule.program]),
        "```",
        "",
    ]
    return "\n".join(lines)


def _describe(manifest: Manifest, rule: dict[str, Any]) -> dict[str, Any]:
    spec, point, overlap = manifest.preprocess, manifest.operating_point, manifest.overlap
    return {
        "classes": list(manifest.classes),
        "input_size": list(spec.input_size),
        "channels": spec.channels,
        "channel_order": spec.channel_order,
        "resize": spec.resize,
        "pad_value": spec.pad_value,
        "pad_side": spec.pad_side,
        "interpolation": spec.interpolation,
        "threshold": point.threshold if point else THRESHOLD,
        "overlap": OVERLAP if overlap is None else overlap,
        "most_shown": task_info(manifest.task).most_shown,
        "decode": rule,
    }


def _pick(file: str, names: set[str]) -> str:
    """Functions and constants of a board's module, in its order."""
    text = (resources.files("edgectl.deploy") / "board" / file).read_text("utf-8")
    picked = []
    for node in ast.parse(text).body:
        assigned = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
        if getattr(node, "name", None) in names or names.intersection(assigned):
            picked.append(ast.get_source_segment(text, node) or "")
    return "\n\n\n".join(picked)


_PREPARE = '''
def prepare(image):
    """uint8 (H, W, 3), blue first as OpenCV decodes, to what the file is fed."""
    (rows, columns), _, (left, top) = geometry(*image.shape[:2], MODEL)
    named = MODEL["interpolation"]
    if named == "auto":  # area averaging when it shrinks: no aliasing
        shrinks = rows * columns < image.shape[0] * image.shape[1]
        named = "area" if shrinks else "bilinear"
    if MODEL["channel_order"] == "gray":
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(image, (columns, rows), interpolation=INTERPOLATIONS[named])
    small = small.reshape(rows, columns, MODEL["channels"])
    if MODEL["channel_order"] == "rgb":
        small = small[:, :, ::-1]
    out = np.full((*MODEL["input_size"], MODEL["channels"]), MODEL["pad_value"], np.uint8)
    out[top : top + rows, left : left + columns] = small
    return out
'''.strip()

_MAIN = """
image = cv2.imread(sys.argv[1])
heads = run(prepare(image))
outputs = [(rule, heads[rule["name"]]) for rule in MODEL["decode"]["heads"]]
for label, score, box in DECODE[: MODEL["most_shown"]]:
    place = () if box is None else to_original(box, *image.shape[:2], MODEL)
    print(MODEL["classes"][label], f"{score:.4f}", *(f"{v:.2f}" for v in place))
""".strip()
