"""A Linux board's bundle: a CMake project that loads the model, feeds it and decodes what comes out."""

from __future__ import annotations

from importlib import resources
from pathlib import Path, PurePosixPath

from edgectl.artifacts.manifest import Manifest
from edgectl.errors import UsageError
from edgectl.tasks.decode_rule import decode_rule

_STATIC = ("CMakeLists.txt", "decode.h", "main.cpp")
_THRESHOLD = 0.25
"""Score threshold of detectors, whose checkpoints store none: what firmwares show."""
_OVERLAP = 0.65
_PROGRAMS = {"classes": "kClassification", "cells": "kCentroid", "boxes": "kDetection"}
"""Decoding programs of ``decode.h``, by the name :mod:`edgectl.tasks.decode_rule` gives them."""
_PARTS = {"scores", "sides"}


def write_project(manifest: Manifest, directory: Path) -> None:
    """``CMakeLists.txt``, ``main.cpp``, ``decode.h``, ``model_config.h``.

    Raises:
        UsageError: heads the decoder does not know.
    """
    rule = decode_rule(manifest.task, manifest.outputs)
    known = rule.program in _PROGRAMS
    unread = {
        o.kind
        for o, head in zip(manifest.outputs, rule.heads, strict=True)
        if not known or head.part not in _PARTS
    }
    if unread:
        raise UsageError(
            f"no C++ decoder for {', '.join(sorted(unread))}",
            where="--target",
            fix="the artifact's README shows how to read the raw heads",
        )
    board = resources.files("edgectl_ncnn") / "board"
    for name in _STATIC:
        text = (board / name).read_text(encoding="utf-8")
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "model_config.h").write_text(config(manifest), encoding="utf-8")


def config(manifest: Manifest) -> str:
    """The header ``main.cpp`` reads everything from."""
    spec, rule = manifest.preprocess, decode_rule(manifest.task, manifest.outputs)
    rows, columns = spec.input_size
    point = manifest.operating_point
    threshold = point.threshold if point else _THRESHOLD
    model = PurePosixPath(manifest.model).name
    mean = ", ".join(f"{float(v)!r}f" for v in spec.mean)
    norm = ", ".join(f"{1.0 / v!r}f" for v in spec.std)
    labels = ", ".join(_quoted(str(name)) for name in manifest.classes)
    entries = [
        f"    {{{_quoted(h.name)}, {h.stride}, {h.channels}, "
        f"{str(h.transform == 'exp').lower()}, {h.offset!r}f}},"
        for h in rule.heads
    ]
    return "\n".join(
        [
            "// What this model takes and gives.",
            "#pragma once",
            "",
            "enum Task { kClassification, kCentroid, kDetection };",
            f"constexpr Task kTask = {_PROGRAMS[rule.program]};",
            f"constexpr const char* kParam = {_quoted(model)};",
            f"constexpr const char* kBin = {_quoted(str(PurePosixPath(model).with_suffix('.bin')))};",
            f"constexpr int kRows = {rows}, kColumns = {columns}, kChannels = {spec.channels};",
            f"// images are {spec.channel_order}, fitted by {spec.resize}",
            f"constexpr float kMean[kChannels] = {{{mean}}};",
            f"constexpr float kNorm[kChannels] = {{{norm}}};",
            f"constexpr float kThreshold = {float(threshold)!r}f;",
            f"constexpr float kOverlap = {_OVERLAP!r}f;",
            "",
            "struct Output {",
            "  const char* name;",
            "  int stride, channels;",
            "  bool logarithms;",
            "  float offset;  // of a cell's point from its corner, in cells",
            "};",
            f"constexpr int kOutputCount = {len(rule.heads)};",
            "constexpr Output kOutputs[kOutputCount] = {",
            *entries,
            "};",
            f"constexpr const char* kLabels[] = {{{labels}}};",
            "",
        ]
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
