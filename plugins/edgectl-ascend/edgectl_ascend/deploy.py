"""The board's bundle: OM, the inference program, and what it must know."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from edgectl.artifacts.manifest import Manifest
from edgectl.deploy.program import take_product, write_program
from edgectl.errors import UsageError
from edgectl.plugins.info import BoardInfo

OM = "model.om"


def write_board_files(
    artifact: Path,
    manifest: Manifest,
    board: BoardInfo,
    directory: Path,
    *,
    converted: Path | None,
) -> None:
    """``main.py`` and its modules, ``model.json``, ``labels.txt``.

    Args:
        converted: ``model.om``, where the plan was compiled on another machine.

    Raises:
        UsageError: a plan without its OM, one for another chip, or heads the program cannot decode.
        ArtifactError: ``converted`` is no file.
    """
    arguments = manifest.require_compiler().arguments
    named = (w.partition("=")[2] for w in arguments if w.startswith("--soc_version="))
    chip = next(named, "an unknown chip")
    # an OM runs on the series it was compiled for, whatever the member's speed
    if _series(chip) != _series(board.accelerator):
        raise UsageError(
            f"compiled for {chip}; {board.name} has {board.accelerator}",
            where="--target",
            fix=f"edgectl export --backend ascend --set backend.ascend.soc={board.accelerator}",
        )
    take_product(artifact, manifest, directory, product=OM, converted=converted, target=board.name)
    device = resources.files("edgectl_ascend") / "board" / "device.py"
    write_program(
        manifest,
        directory,
        device=device.read_text("utf-8"),
        facts={"om": OM, "soc": chip, "device": 0},
    )


def _series(chip: str) -> str:
    """``Ascend310B4`` → ``Ascend310B``."""
    return chip.rstrip("0123456789") if chip[-2:-1].isalpha() else chip
