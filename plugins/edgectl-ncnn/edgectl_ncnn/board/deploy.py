"""A Linux board's bundle: a CMake project that loads the model, feeds it and decodes what comes out."""

from __future__ import annotations

from importlib import resources
from pathlib import Path, PurePosixPath

from edgectl.artifacts.manifest import Manifest
from edgectl.deploy.reference import decoding
from edgectl.errors import UsageError
from edgectl.escape.c import comment, literal, quote
from edgectl.tasks.decode_rule import DecodeRule, HeadRule, decode_rule

_STATIC = ("CMakeLists.txt", "decode.h", "images.h", "main.cpp")
_PROGRAMS = {"classes": "kClasses", "cells": "kCells", "boxes": "kBoxes"}
"""Decoding programs of ``decode.h``, by the name :mod:`edgectl.tasks.decode_rule` gives them."""
_PARTS = {"scores": "kScores", "quality": "kQuality", "sides": "kSides"}
_ALL = 1 << 30


def write_project(manifest: Manifest, directory: Path) -> None:
    """``CMakeLists.txt``, ``main.cpp``, ``images.h``, ``decode.h``, ``model_config.h``, ``README.md``.

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
    for name in (*_STATIC, "README.md"):
        text = (board / name).read_text(encoding="utf-8")
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "model_config.h").write_text(config(manifest, rule), encoding="utf-8")


def config(manifest: Manifest, rule: DecodeRule) -> str:
    """The header the program reads everything from."""
    spec, model = manifest.preprocess, decoding(manifest)
    rows, columns = spec.input_size
    file = PurePosixPath(manifest.model).name
    point = manifest.operating_point
    said = f"chosen on {point.source}" if point else "nothing chose it: adjust it to your images"
    facts = [
        literal(model["threshold"]),
        literal(model["overlap"]),
        _bool(rule.suppression == "overlap"),
        str(rule.most_candidates),
        str(rule.most_results),
        str(model["most_shown"] or _ALL),
    ]
    lines = [
        "// What this model takes and gives.",
        "#pragma once",
        "",
        '#include "decode.h"',
        "",
        f"constexpr const char* kParam = {quote(file)};",
        f"constexpr const char* kBin = {quote(str(PurePosixPath(file).with_suffix('.bin')))};",
        f"constexpr int kRows = {rows}, kColumns = {columns}, kChannels = {spec.channels};",
        f"constexpr bool kLetterbox = {_bool(spec.resize == 'letterbox')};",
        f"constexpr bool kPadCenter = {_bool(spec.pad_side == 'center')};",
        f"constexpr unsigned char kPadValue = {spec.pad_value};",
        f"constexpr bool kRedFirst = {_bool(spec.channel_order == 'rgb')};",
        f"constexpr float kMean[] = {{{', '.join(map(literal, spec.mean))}}};",
        f"constexpr float kNorm[] = {{{', '.join(literal(1.0 / v) for v in spec.std)}}};",
        "",
        f"constexpr edgectl::Program kProgram = edgectl::Program::{_PROGRAMS[rule.program]};",
        comment(said),
        f"constexpr edgectl::Rule kRule = {{{', '.join(facts)}}};",
        f"constexpr edgectl::Head kHeads[{len(rule.heads)}] = {{",
        *(f"    {_head(h)}," for h in rule.heads),
        "};",
        "constexpr const char* kLabels[] = {",
        *(f"    {quote(str(name))}," for name in manifest.classes),
        "};",
        "",
    ]
    return "\n".join(lines)


def _head(head: HeadRule) -> str:
    fields = [
        quote(head.name),
        str(head.stride),
        str(head.channels),
        f"edgectl::Part::{_PARTS[head.part]}",
        f"edgectl::Activation::k{head.activation.capitalize()}",
        _bool(head.transform == "exp"),
        _bool(head.unit == "stride"),
        _bool(head.combine == "geometric_mean"),
        literal(head.offset),
    ]
    return "{" + ", ".join(fields) + "}"


def _bool(value: bool) -> str:
    return str(value).lower()
