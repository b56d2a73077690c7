"""What a maker's firmware would refuse or misread of a model, said before anything is written.

The requirements are data of the board (:class:`edgectl.plugins.board.FirmwareContract`); here they are held
against an artifact's manifest.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgectl.artifacts.manifest import Manifest
from edgectl.errors import GateFailedError
from edgectl.plugins.board import BoardInfo, FirmwareContract
from edgectl.plugins.head import HeadKind
from edgectl.spec import OutputSpec
from edgectl.tasks.lookup import head_kind

Head = tuple[OutputSpec, HeadKind]


@dataclass(frozen=True)
class Violation:
    """``text``: what the firmware does with the model. ``fix``: what to do. ``fatal``: it would not run, or
    show wrong results without a word; else it shows less than it could."""

    text: str
    fix: str
    fatal: bool = True

    def __str__(self) -> str:
        """For people."""
        return f"{self.text}; {self.fix}"


def firmware_violations(board: BoardInfo, manifest: Manifest) -> tuple[Violation, ...]:
    """Everything of a model that the board's firmware does not take as it is meant; the worst first. Empty
    for files its firmware does not load."""
    contract = board.firmware
    if contract is None or manifest.backend != contract.backend:
        return ()
    heads = [(o, head_kind(o.kind)) for o in manifest.outputs]
    found = [
        *_about_input(contract, manifest),
        *_about_boxes(contract, heads, manifest.backend),
        *_about_scores(contract, heads, manifest.backend),
        *_about_display(contract, heads),
    ]
    return tuple(sorted(found, key=lambda v: not v.fatal))


def require_firmware(board: BoardInfo, manifest: Manifest, *, own_program: bool) -> tuple[str, ...]:
    """What is to be said; with ``own_program`` all of it, because the firmware does not run then.

    Raises:
        GateFailedError: the firmware would refuse the model, or show wrong results.
    """
    found = firmware_violations(board, manifest)
    fatal = [v for v in found if v.fatal]
    if fatal and not own_program:
        assert board.firmware is not None
        raise GateFailedError(
            f"{board.firmware.name}, the firmware of {board.name}, "
            + "; it ".join(v.text for v in fatal),
            where="--target",
            fix="; ".join(dict.fromkeys(v.fix for v in fatal))
            + "; or --firmware own, where the bundle's program runs in its place",
        )
    name = board.firmware.name if board.firmware else ""
    return tuple(f"{name} {violation}" for violation in found)


def _about_input(contract: FirmwareContract, manifest: Manifest) -> list[Violation]:
    height, width = manifest.preprocess.input_size
    found = []
    if contract.square and height != width:
        found.append(
            Violation(
                f"refuses an input of {height}x{width}: it must be square", "train at --imgsz N"
            )
        )
    if height % contract.multiple_of or width % contract.multiple_of:
        found.append(
            Violation(
                f"refuses sides that are no multiple of {contract.multiple_of}",
                f"train at such an --imgsz, {_nearest(height, contract.multiple_of)} for example",
            )
        )
    if contract.resize is not None and manifest.preprocess.resize != contract.resize:
        found.append(
            Violation(
                f"brings frames to size by {contract.resize}, the model was trained with "
                f"{manifest.preprocess.resize}, so objects look other than in training",
                f"train with --set preprocess.resize={contract.resize}",
                fatal=False,
            )
        )
    return found


def _nearest(side: int, step: int) -> int:
    return max(step, round(side / step) * step)


def _about_boxes(contract: FirmwareContract, heads: list[Head], backend: str) -> list[Violation]:
    sides = [o for o, kind in heads if kind.part == "sides"]
    if not sides:
        return []
    found = []
    offset = contract.offset
    if offset is not None and any(o.offset != offset for o in sides):
        found.append(
            Violation(
                f"measures boxes from points at {offset:g} of a cell, the model's lie at "
                f"{sides[0].offset:g}: every box would be off",
                f"edgectl export --backend {backend} --set quant.point_offset={offset:g}",
            )
        )
    if any(kind.transform != "none" for o, kind in heads if kind.part == "sides"):
        found.append(
            Violation("takes distances as they are, the model's are logarithms", "another variant")
        )
    scores = [o for o, kind in heads if kind.part == "scores"]
    if any(o.channels == contract.confused_channels for o in scores):
        found.append(
            Violation(
                f"cannot tell scores of {contract.confused_channels} classes from the four sides of a box",
                "train with one class more or less",
            )
        )
    return found


def _about_scores(contract: FirmwareContract, heads: list[Head], backend: str) -> list[Violation]:
    raw = [o for o, kind in heads if kind.part == "scores" and not o.stride and not o.applied]
    if not contract.applied or not raw:
        return []
    return [
        Violation(
            "takes a classifier's numbers for probabilities, and the file holds raw ones",
            f"edgectl export --backend {backend} --set backend.{backend}.append_activation=on",
        )
    ]


def _about_display(contract: FirmwareContract, heads: list[Head]) -> list[Violation]:
    kinds = {o.kind for o, _ in heads}
    return [
        Violation(what, "the program in the bundle shows them: --firmware own", fatal=False)
        for kind, what in contract.unseen
        if kind in kinds
    ]


def export_settings(contract: FirmwareContract, outputs: tuple[OutputSpec, ...]) -> list[str]:
    """Assignments for an export that the firmware takes, as far as an export can meet it."""
    heads = [(o, head_kind(o.kind)) for o in outputs]
    words = []
    if contract.offset is not None and any(
        kind.part == "sides" and o.offset != contract.offset for o, kind in heads
    ):
        words.append(f"quant.point_offset={contract.offset:g}")
    if contract.applied and any(kind.part == "scores" and not o.stride for o, kind in heads):
        words.append(f"backend.{contract.backend}.append_activation=on")
    return words
