"""How raw heads become results, as data: what a decoder in any language needs to know of a model.

The rule of each head is its registered :class:`~edgectl.plugins.head.HeadKind` with what the model's
OutputSpec adds (stride, offset, whether the file has applied the activation). ``deploy/board/decode.py`` is
the reference that reads it; :mod:`edgectl.tasks.detection` and its neighbors name the programs:

``classes``
    One head of scores without a grid. Every class, best first, equal scores in class order.
``cells``
    One grid of scores with the background in channel 0. A cell reports the class that beats every other
    channel with a score of at least the threshold; suppression is ``neighbors``; the place is the
    score-weighted mean of the cell's point and those of its four neighbors that fire for the same class.
``boxes``
    At every stride a head of scores, one of sides and perhaps one of quality. Every score over the
    threshold is a candidate; its box is ``point -/+ transform(side) * unit``; the ``most_candidates`` best go
    into suppression by ``overlap``, class by class, and the ``most_results`` best come out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgectl.errors import UsageError
from edgectl.plugins.registry import installed
from edgectl.spec import OutputSpec
from edgectl.tasks.lookup import head_kind, task_info

MOST_CANDIDATES, MOST_RESULTS = 3000, 300
"""Score threshold of the programs of boards."""


@dataclass(frozen=True)
class HeadRule:
    """How one head is read.

    Attributes:
        name, stride, channels: of its OutputSpec; stride 0 where it has no grid.
        part, background, transform, unit, combine: of its HeadKind.
        activation: still to be applied to the raw numbers: ``none``, ``sigmoid``, ``softmax`` over channels.
        offset: the point of cell (row, column) is ((column + offset) * stride, (row + offset) * stride).
    """

    name: str
    part: str
    stride: int
    channels: int
    activation: str
    background: bool
    transform: str
    unit: str
    offset: float
    combine: str


@dataclass(frozen=True)
class DecodeRule:
    """``program`` reads ``heads``, in the order of the model's outputs."""

    program: str
    heads: tuple[HeadRule, ...]
    suppression: str
    most_candidates: int = MOST_CANDIDATES
    most_results: int = MOST_RESULTS

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)


def decode_rule(task: str, outputs: Sequence[OutputSpec]) -> DecodeRule:
    """Resolves the rule of a model.

    Raises:
        UsageError: a head the task's program does not read.
        UnknownNameError: a task or head kind nobody offers.
    """
    info = task_info(task)
    unknown = sorted({o.kind for o in outputs} - set(info.heads))
    if unknown:
        raise UsageError(
            f"no decoder for {', '.join(unknown)}",
            where="--target",
            fix="the artifact's README shows what the file returns",
        )
    ways = {head_kind(o.kind).suppression for o in outputs} - {"none"}
    assert len(ways) < 2, "heads of one task suppress in one way"
    heads = tuple(head_rule(o) for o in outputs)
    return DecodeRule(info.decoder, heads, ways.pop() if ways else "none")


def head_rule(output: OutputSpec) -> HeadRule:
    """How one head is read. Raises UnknownNameError for a kind nobody offers."""
    kind = head_kind(output.kind)
    return HeadRule(
        name=output.name,
        part=kind.part,
        stride=output.stride,
        channels=output.channels,
        activation="none" if output.applied else output.activation,
        background=kind.background,
        transform=kind.transform,
        unit=kind.unit,
        offset=output.offset,
        combine=kind.combine,
    )


def head_notes(outputs: Sequence[OutputSpec]) -> list[str]:
    """What the heads of a model hold and how they are read, a line a kind, for READMEs. Kinds nobody
    registered are left out."""
    known = installed().heads
    read = [(o, head_kind(o.kind)) for o in outputs if known.claims(o.kind)]
    notes = [
        f"`{k.name}`: {k.summary}. {k.note}".rstrip() for k in dict.fromkeys(k for _, k in read)
    ]
    if any(k.part == "scores" and not o.stride for o, k in read):
        notes.append(
            "The image belongs to the class with the largest value, in `labels.txt`'s order."
        )
    for offset in sorted({o.offset for o, k in read if k.part == "sides" and o.stride}):
        notes.append(
            f"The point of the cell in row r, column c is x = (c + {offset:g}) * stride, "
            f"y = (r + {offset:g}) * stride."
        )
    return notes
