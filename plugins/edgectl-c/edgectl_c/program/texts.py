"""The C texts of a whole program: the same network, manifest and images give the same texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgectl.artifacts.manifest import Manifest
from edgectl.deploy.reference import decoding
from edgectl.errors import ArtifactError, EdgectlError, UsageError
from edgectl.escape.c import comment, quote
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.integer.program import Program
from edgectl.spec import PreprocessSpec
from edgectl_c.code.model import Source
from edgectl_c.modelfile import CODE, HEADER
from edgectl_c.plan.network import view_of
from edgectl_c.program.decode import Decoder, heads_of, write_decoder
from edgectl_c.program.golden import decode_outputs, write_golden
from edgectl_c.program.preprocess import write_preprocess
from edgectl_c.program.source import read_source

_PROGRAMS = ("classes", "cells", "boxes")
EDITABLE = "main.c"
"""Belongs to whoever builds upon it; all other texts are the model's."""


@dataclass(frozen=True)
class ProgramTexts:
    """``files``: name -> text; ``decodes``: whether there is a decoder for the network in C."""

    files: dict[str, str]
    decoder: Decoder
    decodes: bool


def write_texts(
    program: Program, source: Source, manifest: Manifest | None, images: np.ndarray
) -> ProgramTexts:
    """The program around a library.

    Args:
        manifest: None for a network of which nothing is known but its integers.
        images: uint8 (N, H, W, C), golden ones.

    Raises:
        UsageError: the manifest is of another input size.
    """
    height, width, channels = view_of(program.tensors[program.inputs[0]].shape)
    spec = PreprocessSpec((height, width), "stretch") if manifest is None else manifest.preprocess
    if spec.input_size != (height, width):
        raise UsageError(
            f"the manifest says {spec.input_size}, the network takes {(height, width)}",
            where=program.where,
        )
    model = None if manifest is None else _decoding(manifest)
    specs = () if manifest is None or model is None else manifest.outputs
    heads = heads_of(program, specs, spec.input_size)
    decoder = write_decoder(model, heads)
    fed = (images ^ 0x80).view(np.int8)
    outputs = IntegerExecutor(program).run(fed)
    results = (
        decode_outputs(model, specs, heads, outputs, decoder.results)
        if model is not None
        else [[] for _ in images]
    )
    header, code = write_preprocess(spec, channels)
    files = {
        CODE: source.code,
        HEADER: source.header,
        "preprocess.h": header,
        "preprocess.c": code,
        "decode.h": _with_source(decoder.header, manifest),
        "decode.c": decoder.code,
        "labels.h": write_labels(("0",) if manifest is None else manifest.classes),
        "golden.h": write_golden(fed, outputs, results),
        "edgectl_program.h": read_source("edgectl_program.h") + "\n",
        EDITABLE: read_source(EDITABLE) + "\n",
    }
    return ProgramTexts(files, decoder, model is not None)


def require_same_program(directory: Path, texts: Mapping[str, str]) -> None:
    """Raises ArtifactError where a file of a bundle is not what its network, manifest and images give. Code
    that came with a bundle is never run; ``main.c`` may be anything."""
    for name, text in texts.items():
        path = directory / name
        if name == EDITABLE or not path.is_file():
            continue
        if path.read_text(encoding="utf-8", errors="replace") != text:
            raise ArtifactError(
                "is not what the network gives: altered, or of another version",
                where=str(path),
                fix="edgectl deploy again",
            )


def write_labels(classes: tuple[str, ...]) -> str:
    """``labels.h``: names mean what was said, whatever stands in them."""
    rows = ",\n  ".join(quote(name) for name in classes)
    return (
        "/* Names of the classes, as UTF-8. */\n"
        f"#define LABELS {len(classes)}\n"
        f"static const char *const labels[LABELS] = {{\n  {rows}}};\n"
    )


def _decoding(manifest: Manifest) -> dict[str, object] | None:
    """None for networks whose results only their own program knows."""
    try:
        model = decoding(manifest)
    except EdgectlError:
        return None
    return model if model["decode"]["program"] in _PROGRAMS else None


def _with_source(header: str, manifest: Manifest | None) -> str:
    """Says where the threshold comes from."""
    point = manifest.operating_point if manifest is not None else None
    said = f"chosen on {point.source}" if point else "nothing chose it: adjust it to your images"
    return header.replace(
        "#define DECODE_THRESHOLD", comment(said) + "\n#define DECODE_THRESHOLD", 1
    )
