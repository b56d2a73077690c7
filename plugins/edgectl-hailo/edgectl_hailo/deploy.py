"""The Raspberry Pi's bundle: HEF, a HailoRT program with edgectl's decoding, and what it must know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from edgectl.artifacts.manifest import Manifest
from edgectl.deploy.program import require_decoder, take_product, write_program
from edgectl.errors import UsageError
from edgectl.plugins.info import BoardInfo
from edgectl_hailo.boards import RUNS
from edgectl_hailo.hef import describe_hef
from edgectl_hailo.plan import HEF, SETTINGS


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
        converted: ``model.hef``, where the plan was compiled on another machine.

    Raises:
        UsageError: a plan without its HEF, one for another chip, or heads the program cannot decode.
        ArtifactError: ``converted`` is no HEF.
    """
    settings = json.loads((artifact / SETTINGS).read_text(encoding="utf-8"))
    _require(manifest, settings, board)
    if converted is not None and converted.is_file():
        describe_hef(converted)
    take_product(artifact, manifest, directory, product=HEF, converted=converted, target=board.name)
    device = resources.files("edgectl_hailo") / "board" / "device.py"
    keys = ("hw_arch", "heads")
    write_program(
        manifest,
        directory,
        device=device.read_text("utf-8"),
        facts={"hef": HEF, **{k: settings[k] for k in keys}},
    )


def _require(manifest: Manifest, settings: Mapping[str, Any], board: BoardInfo) -> None:
    arch = settings["hw_arch"]
    runs = RUNS[board.accelerator]
    if arch not in runs:
        raise UsageError(
            f"compiled for {arch}; {board.name} runs {' and '.join(runs)}",
            where="--target",
            fix=f"edgectl export --backend hailo --set backend.hailo.hw_arch={board.accelerator}",
        )
    require_decoder(manifest)
