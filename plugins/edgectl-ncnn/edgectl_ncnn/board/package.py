"""The README that travels with an artifact: how to run the files from C++ and from Python."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from edgectl.artifacts.manifest import Manifest
from edgectl.escape import python
from edgectl.escape.c import quote
from edgectl.escape.markdown import text
from edgectl.spec import PreprocessSpec
from edgectl.tasks.decode_rule import head_notes

_ORDERS = {"rgb": "PIXEL_BGR2RGB", "bgr": "PIXEL_BGR", "gray": "PIXEL_BGR2GRAY"}


def usage(manifest: Manifest) -> str:
    """Markdown from the manifest's ``preprocess``, ``outputs`` and ``classes``."""
    spec = manifest.preprocess
    height, width = spec.input_size
    return "\n".join(
        [
            f"# {text(manifest.model)}",
            "",
            f"{text(manifest.family)} {text(manifest.variant)}, {manifest.precision}, "
            f"classes: {', '.join(map(text, manifest.classes))}.",
            "",
            f"Input `in0`: {width} x {height}, {spec.channel_order}, resized by {spec.resize}, "
            "then `(pixel - mean) * norm`; all of it is in the code below.",
            "",
            *_outputs(manifest),
            "## C++",
            "",
            "```cpp",
            *_cpp(manifest),
            "```",
            "",
            "`ncnn::Mat::from_pixels_resize` is bilinear. The figures in `manifest.json` were measured "
            "with area averaging: shrink large frames with `cv::INTER_AREA` for the same.",
            "",
            "## Python",
            "",
            "```python",
            *_python(manifest),
            "```",
            "",
            "On this machine: `edgectl eval .`",
            "",
        ]
    )


def _outputs(manifest: Manifest) -> list[str]:
    lines = [
        "| output | kind | stride | channels | to be applied |",
        "| --- | --- | --- | --- | --- |",
    ]
    for o in manifest.outputs:
        cells = (o.name, o.kind, o.stride, o.channels, o.activation)
        lines.append("| " + " | ".join(map(text, cells)) + " |")
    lines.append("")
    for note in head_notes(manifest.outputs):
        lines += [note, ""]
    point = manifest.operating_point
    if point:
        lines += [f"Score threshold: {point.threshold:.3f}, chosen on {text(point.source)}.", ""]
    return lines


def _norm(spec: PreprocessSpec) -> tuple[str, str]:
    mean = ", ".join(f"{v:.9g}" for v in spec.mean)
    return mean, ", ".join(f"{1.0 / v:.9g}" for v in spec.std)


def _cpp(manifest: Manifest) -> list[str]:
    spec = manifest.preprocess
    height, width = spec.input_size
    mean, norm = (", ".join(f"{float(v):#.9g}f" for v in part.split(", ")) for part in _norm(spec))
    order = _ORDERS[spec.channel_order]
    model = PurePosixPath(manifest.model)
    lines = [
        "#include <algorithm>",
        '#include "net.h"',
        "",
        "ncnn::Net net;",
        f"net.load_param({quote(str(model))});",
        f"net.load_model({quote(str(model.with_suffix('.bin')))});",
        "",
        "// bgr: rows x cols x 3 bytes, as OpenCV reads images",
    ]
    if spec.resize == "letterbox":
        top, left = ("(H - h) / 2", "(W - w) / 2") if spec.pad_side == "center" else ("0", "0")
        lines += [
            f"const int W = {width}, H = {height};",
            "const float scale = std::min(W / (float)cols, H / (float)rows);",
            "const int w = (int)(cols * scale + .5f), h = (int)(rows * scale + .5f);",
            f"ncnn::Mat small = ncnn::Mat::from_pixels_resize(bgr, ncnn::Mat::{order}, "
            "cols, rows, w, h);",
            "ncnn::Mat in;",
            f"const int top = {top}, left = {left};",
            "ncnn::copy_make_border(small, in, top, H - h - top, left, W - w - left,",
            f"                       ncnn::BORDER_CONSTANT, {spec.pad_value}.f);",
        ]
    else:
        lines.append(
            f"ncnn::Mat in = ncnn::Mat::from_pixels_resize(bgr, ncnn::Mat::{order}, "
            f"cols, rows, {width}, {height});"
        )
    lines += [
        f"const float mean[{spec.channels}] = {{{mean}}};",
        f"const float norm[{spec.channels}] = {{{norm}}};",
        "in.substract_mean_normalize(mean, norm);",
        "",
        "ncnn::Extractor ex = net.create_extractor();",
        'ex.input("in0", in);',
    ]
    for o in manifest.outputs:
        name = _identifier(o.name)
        lines += [f"ncnn::Mat {name};", f"ex.extract({quote(o.name)}, {name});"]
    return lines


def _python(manifest: Manifest) -> list[str]:
    spec = manifest.preprocess
    mean, norm = _norm(spec)
    order = _ORDERS[spec.channel_order]
    model = PurePosixPath(manifest.model)
    height, width = spec.input_size
    lines = [
        "import ncnn, numpy as np",
        "",
        "net = ncnn.Net()",
        f"net.load_param({python.quote(str(model))})",
        f"net.load_model({python.quote(str(model.with_suffix('.bin')))})",
        "",
        f"# bgr: uint8 ({height}, {width}, 3), resized by {spec.resize} (border {spec.pad_value})"
        if spec.resize == "letterbox"
        else f"# bgr: uint8 ({height}, {width}, 3), stretched to that size",
        f"x = ncnn.Mat.from_pixels(bgr, ncnn.Mat.PixelType.{order}, {width}, {height})",
        f"x.substract_mean_normalize([{mean}], [{norm}])",
        "ex = net.create_extractor()",
        'ex.input("in0", x)',
    ]
    for o in manifest.outputs:
        name = python.quote(o.name)
        lines.append(f"{_identifier(o.name)} = np.array(ex.extract({name})[1])")
    return lines


def _identifier(name: str) -> str:
    """A variable's name, in C++ and Python."""
    return re.sub(r"\W", "_", name if name.isidentifier() else f"out_{name}", flags=re.ASCII)
