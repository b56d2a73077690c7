"""The Raspberry Pi's bundle: HEF, a HailoRT program with edgectl's decoding, and what it must know."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from edgectl.errors import ArtifactError, UsageError
from edgectl.types import BoardInfo
from edgectl_hailo.boards import RUNS
from edgectl_hailo.hef import describe_hef
from edgectl_hailo.plan import HEF, SETTINGS

_PROGRAM = ("main.py", "device.py", "decode.py", "pictures.py")
_HEADS = {
    "classification": {"class_logits"},
    "centroid": {"cell_logits"},
    "detection": {"class_logits", "box_distances", "box_log_distances"},
}
_THRESHOLD = 0.25
"""Of detectors, whose checkpoints store none: what firmwares show."""
_OVERLAP = 0.65


def write_board_files(
    artifact: Path,
    manifest: Mapping[str, Any],
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
    if converted is not None:
        if not converted.is_file():
            raise ArtifactError("no such file", where=str(converted), fix="the compiled model.hef")
        describe_hef(converted)
        (directory / Path(str(manifest["model"])).name).unlink()
        shutil.copy2(converted, directory / HEF)
    elif manifest["status"] != "built":
        raise UsageError(
            "the export is a plan: there is no HEF to deploy yet",
            where=str(artifact),
            fix=f"run {artifact / 'build.sh'} where Hailo's compiler is installed, then "
            f"edgectl deploy {artifact} --target {board.name} --converted model.hef",
        )
    board_code = resources.files("edgectl_hailo") / "board"
    for name in _PROGRAM:
        (directory / name).write_text((board_code / name).read_text("utf-8"), encoding="utf-8")
    model = json.dumps(model_facts(manifest, settings), indent=1, ensure_ascii=False)
    (directory / "model.json").write_text(model + "\n", encoding="utf-8")
    labels = "".join(f"{name}\n" for name in manifest["classes"])
    (directory / "labels.txt").write_text(labels, encoding="utf-8")


def _require(manifest: Mapping[str, Any], settings: Mapping[str, Any], board: BoardInfo) -> None:
    arch = settings["hw_arch"]
    runs = RUNS[board.accelerator]
    if arch not in runs:
        raise UsageError(
            f"compiled for {arch}; {board.name} runs {' and '.join(runs)}",
            where="--target",
            fix=f"edgectl export --backend hailo --set backend.hailo.hw_arch={board.accelerator}",
        )
    task = str(manifest["task"])
    unknown = {o["kind"] for o in manifest["outputs"]} - _HEADS.get(task, set())
    if unknown or settings["nms"]:
        raise UsageError(
            f"no decoder for {', '.join(sorted(unknown)) or 'boxes HailoRT has suppressed'}",
            where="--target",
            fix="the artifact's README shows what the HEF returns",
        )


def model_facts(manifest: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """``model.json``: all that ``main.py`` knows of this model."""
    spec = manifest["preprocess"]
    point = manifest.get("operating_point")
    keys = ("input_size", "resize", "pad_value", "pad_side")
    return {
        "hef": HEF,
        "hw_arch": settings["hw_arch"],
        "task": manifest["task"],
        "classes": list(manifest["classes"]),
        **{k: spec[k] for k in keys},
        "threshold": point["threshold"] if point else _THRESHOLD,
        "overlap": _OVERLAP,
        "outputs": list(manifest["outputs"]),
        "heads": settings["heads"],
    }
