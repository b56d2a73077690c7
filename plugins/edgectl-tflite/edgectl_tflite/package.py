"""What the artifact's README says: how to run the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def usage(manifest: Mapping[str, Any]) -> str:
    """Markdown, every number from the manifest."""
    tensors = manifest["tensors"]
    given, outputs = tensors["inputs"][0], tensors["outputs"]
    spec = manifest["preprocess"]
    point = manifest.get("operating_point")
    rows = "\n".join(
        f"| {t['name']} | {'x'.join(map(str, t['shape']))} | {t['dtype']} "
        f"| {t.get('scale', '')} | {t.get('zero_point', '')} |"
        for t in (given, *outputs)
    )
    height, width = spec["input_size"]
    fit = (
        f"keep the aspect ratio, put the picture at the {spec['pad_side'].replace('_', ' ')}, "
        f"fill with {spec['pad_value']}"
        if spec["resize"] == "letterbox"
        else "stretch"
    )
    feed = (
        "feed `int8 = uint8 - 128`, nothing else: normalisation is part of the first convolution"
        if given["dtype"] == "int8"
        else "feed `float32 = uint8 / 255`"
    )
    arena = tensors.get("arena_bytes")
    memory = f"Tensor arena on TensorFlow Lite Micro: {arena:,} bytes.\n\n" if arena else ""
    threshold = (
        f"Score threshold: {point['threshold']:.3f}, chosen on {point['source']}.\n\n"
        if point
        else ""
    )
    classes = ", ".join(f"{i} {name}" for i, name in enumerate(manifest["classes"]))
    activation = ", ".join(
        f"`{o['name']}` holds "
        + (f"scores (the {o['activation']} is in the file)" if o["applied"] else "raw logits")
        for o in manifest["outputs"]
    )
    return (
        f"# {manifest['family']} {manifest['variant']}, {manifest['precision']}\n\n"
        f"`{manifest['model']}` for TensorFlow Lite and TensorFlow Lite Micro.\n\n"
        f"1. Resize the picture to {height}x{width} (height x width), {spec['channel_order']}: {fit}.\n"
        f"2. {feed[0].upper()}{feed[1:]}.\n"
        f"3. {activation}. In grids, channel 0 is the background.\n\n"
        "| tensor | shape (NHWC) | type | scale | zero point |\n| --- | --- | --- | --- | --- |\n"
        f"{rows}\n\n"
        f"{memory}{threshold}Classes: {classes}.\n\n"
        "A firmware that stretches the frame instead of keeping its aspect ratio needs a model trained "
        "so: `--set preprocess.resize=stretch`.\n\n"
        "`edgectl eval` on this directory scores the file again; `manifest.json` records how it was "
        "made and what it scored.\n"
    )
