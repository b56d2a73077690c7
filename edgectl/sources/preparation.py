"""How images are prepared for a network somebody else trained: as stated, as its metadata say, or asked for.

Nothing in a network tells its mean and deviation, and a wrong guess costs accuracy in silence. So nothing is
assumed: what is not stated anywhere is an error, which names the usual preparation that makes the network
most confident on the user's own images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgectl.data.images.preprocess import normalize
from edgectl.errors import UsageError
from edgectl.sources.options import Statement
from edgectl.spec import PreprocessSpec, Size

_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_USUAL: tuple[tuple[str, tuple[tuple[float, ...], tuple[float, ...]]], ...] = (
    ("rgb", ((0.0,) * 3, (255.0,) * 3)),
    ("rgb", _IMAGENET),
    ("rgb", ((127.5,) * 3, (127.5,) * 3)),
    ("rgb", ((0.0,) * 3, (1.0,) * 3)),
    ("bgr", ((0.0,) * 3, (255.0,) * 3)),
    ("bgr", (_IMAGENET[0][::-1], _IMAGENET[1][::-1])),
    ("bgr", ((0.0,) * 3, (1.0,) * 3)),
)
_BEST = 20
"""Scores of an image that count: a detector is sure of few cells."""
_NAMED = 3
"""Candidates an error names."""

Run = Callable[[Tensor], list[Tensor]]
"""float32 (N, C, H, W), normalized, to the network's own outputs."""


def usual_preparations(spec: PreprocessSpec) -> list[PreprocessSpec]:
    """Channel orders and normalizations networks of the field were trained with; size, resizing and number
    of channels of ``spec``."""
    usual = [
        replace(spec, channel_order=order, mean=mean, std=std)  # type: ignore[arg-type]
        for order, (mean, std) in _USUAL
    ]
    # in gray, orders of colors are alike
    return usual if spec.channels == 3 else list(dict.fromkeys(u.to_gray() for u in usual))


def prepare_as_stated(
    said: Statement,
    known: Mapping[str, Any] | None,
    size: Size,
    *,
    boxes: bool,
    channels: int = 3,
) -> tuple[PreprocessSpec, bool]:
    """The spec, and whether mean and std were stated at all.

    Args:
        known: fields of a PreprocessSpec the file's metadata or library states.
        boxes: whether boxes are read of the heads: then the aspect ratio is kept by default.
        channels: the network's: with one it sees gray, of three stated numbers their luma.

    Raises:
        UsageError: values nothing can be computed with; an order the network has no channels for.
    """
    fields: dict[str, Any] = {"resize": "letterbox" if boxes else "stretch", **(known or {})}
    if said.resize:
        fields["resize"] = "stretch" if said.resize == "stretch" else "letterbox"
        fields["pad_side"] = "center" if said.resize == "center" else "bottom_right"
    if said.interpolation:
        fields["interpolation"] = said.interpolation
    if said.channel_order:
        fields["channel_order"] = said.channel_order
    normalization = said.normalization
    if normalization is not None:
        fields["mean"], fields["std"] = normalization
    stated = "mean" in fields and "std" in fields
    order = fields.pop("channel_order", "gray" if channels == 1 else "rgb")
    if said.channel_order and (order == "gray") != (channels == 1):
        raise UsageError(f"the network takes {channels} channels", where="--channel-order")
    colored: Any = "rgb" if order == "gray" else order
    # one number stands for all channels
    fields |= {k: v * 3 for k in ("mean", "std") if len(v := fields.get(k, ())) == 1}
    try:
        spec = PreprocessSpec(size, channel_order=colored, **fields)
        return (spec.to_gray() if channels == 1 else spec), stated
    except ValueError as e:
        raise UsageError(str(e), where="--mean, --std") from e


def rank_preparations(
    specs: Sequence[PreprocessSpec], run: Run, batches: Callable[[PreprocessSpec], np.ndarray]
) -> list[tuple[float, PreprocessSpec]]:
    """How confident a network is of images prepared in each way, most confident first.

    Args:
        batches: uint8 (N, H, W, C) as a spec resizes them, in its channel order.
    """
    found = []
    for spec in specs:
        pixels = torch.from_numpy(np.ascontiguousarray(batches(spec))).permute(0, 3, 1, 2)
        with torch.no_grad():
            outputs = run(normalize(pixels, spec))
        found.append((measure_confidence(outputs), spec))
    return sorted(found, key=lambda pair: -pair[0])


def measure_confidence(outputs: Sequence[Tensor]) -> float:
    """0..1. Of rankings the largest probability; of everything else the largest of those numbers that are
    probabilities: columns that stay between 0 and 1."""
    scores = [s for s in map(_confidence_of, outputs) if s is not None]
    return max(scores) if scores else 0.0


def _confidence_of(output: Tensor) -> float | None:
    y = output.float()
    if not bool(y.isfinite().all()):
        return 0.0
    if y.flatten(1).shape[1] > 1 and y[0].squeeze().dim() == 1:
        y = y.flatten(1)
        sums_to_one = bool((y >= 0).all()) and bool(((y.sum(1) - 1).abs() < 1e-3).all())
        return float((y if sums_to_one else y.softmax(1)).max(1).values.mean())
    if y.dim() == 4:  # raw heads: logits of scores are what sigmoid separates
        return float(y.sigmoid().flatten(1).topk(min(_BEST, y[0].numel())).values.mean())
    if y.dim() < 3:
        return None
    columns = y if y.shape[-1] <= y.shape[1] else y.transpose(1, -1)
    columns = columns.reshape(len(y), -1, columns.shape[-1])
    kept = [
        k
        for k in range(columns.shape[-1])
        if 0 <= columns[..., k].min() <= columns[..., k].max() <= 1
    ]
    if not kept:
        return None
    rows = columns[..., kept].amax(-1)
    return float(rows.topk(min(_BEST, rows.shape[1]), dim=1).values.mean())


def spell(spec: PreprocessSpec) -> str:
    """The options that state it."""
    mean, std = (",".join(f"{v:g}" for v in values) for values in (spec.mean, spec.std))
    return f"--mean {mean} --std {std} --channel-order {spec.channel_order}"


def require_stated(
    stated: bool, ranking: Callable[[], list[tuple[float, PreprocessSpec]]] | None, where: str
) -> None:
    """Raises UsageError where nobody stated mean and std. The usual ones that make the network most confident
    are named: a hint, for a network may be sure of nonsense.

    Args:
        ranking: of the usual preparations, on the user's images; None where there are none.
    """
    if stated:
        return
    ranked = ranking() if ranking is not None else []
    named = spell(ranked[0][1]) if ranked else "--mean M --std S [--channel-order rgb|bgr]"
    hint = "".join(f"; {spell(s)}: {score:.2f}" for score, s in ranked[:_NAMED])
    sure = f"; how confident it is on your images{hint}" if ranked else ""
    raise UsageError(
        f"mean and deviation it was trained with are not in the file{sure}",
        where=where,
        fix=f"say them, as its maker states them: {named}",
    )
