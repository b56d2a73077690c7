"""The Python program of a Linux board: images in, results out, by the rules of evaluation.

``board/`` holds what is the same everywhere: letterbox, decoding, suppression, golden vectors. A backend
adds ``device.py`` with a class ``Accelerator(folder, model)``: ``heads(image)`` takes uint8 (rows,
columns, 3), red first, or (rows, columns, 1), gray, and returns {head: float32 (C, H, W) or (C,)};
``close()`` gives the device back.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from edgectl.artifacts.manifest import Manifest
from edgectl.deploy.reference import decoding
from edgectl.errors import ArtifactError, UsageError
from edgectl.escape.terminal import lines
from edgectl.tasks.decode_rule import decode_rule
from edgectl.tasks.lookup import load_task

_MODULES = ("main.py", "images.py", "README.md")
_DECODER = "decode.py"


def require_decoder(manifest: Manifest) -> None:
    """Raises UsageError for heads the task's decoder does not read."""
    decode_rule(manifest.task, manifest.outputs)


def board_decoder(task: str) -> str:
    """Text of ``decode.py``: the task's own, or core's. Raises UnknownNameError for a task nobody offers."""
    own = load_task(task).board_decoder()
    if own is not None:
        return own
    return (resources.files("edgectl.deploy") / "board" / _DECODER).read_text("utf-8")


def take_product(
    artifact: Path,
    manifest: Manifest,
    directory: Path,
    *,
    product: str,
    converted: Path | None,
    target: str,
) -> None:
    """Sees to it that a bundle holds what the compiler makes, not the ONNX file it starts from.

    Args:
        product: name of the compiler's file.
        converted: that file, where a plan was compiled on another machine.
        target: the board, for the remedy.

    Raises:
        UsageError: a plan, and nothing compiled from it.
        ArtifactError: ``converted`` is not a file, or empty.
    """
    if converted is not None:
        if not converted.is_file() or not converted.stat().st_size:
            raise ArtifactError("no such file", where=str(converted), fix=f"the compiled {product}")
        (directory / Path(manifest.model).name).unlink()
        shutil.copy2(converted, directory / product)
    elif not manifest.built:
        raise UsageError(
            f"the export is a plan: there is no {product} to deploy yet",
            where=str(artifact),
            fix=f"run {artifact / 'build.sh'} where the compiler is installed, then "
            f"edgectl deploy {artifact} --target {target} --converted {product}",
        )


def write_program(
    manifest: Manifest, directory: Path, *, device: str, facts: Mapping[str, Any]
) -> None:
    """``main.py`` and its modules, ``model.json``, ``labels.txt``, ``README.md``.

    Args:
        device: text of ``device.py``.
        facts: what it wants to find in ``model.json``.

    Raises:
        UsageError: heads the task's decoder does not read.
    """
    task = manifest.task
    reading = decoding(manifest)
    code = resources.files("edgectl.deploy") / "board"
    texts = {name: (code / name).read_text("utf-8") for name in _MODULES}
    texts[_DECODER] = board_decoder(task)
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "device.py").write_text(device, encoding="utf-8")
    spec = manifest.preprocess.to_dict()
    model = {
        **facts,
        "task": task,
        "classes": list(manifest.classes),
        **{k: spec[k] for k in ("input_size", "resize", "pad_value", "pad_side", "interpolation")},
        "channels": manifest.preprocess.channels,
        **reading,
    }
    text = json.dumps(model, indent=1, ensure_ascii=False)
    (directory / "model.json").write_text(text + "\n", encoding="utf-8")
    (directory / "labels.txt").write_text(lines(manifest.classes), encoding="utf-8")
