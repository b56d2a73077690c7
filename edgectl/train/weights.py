"""Pretrained weights: ``auto`` looks beside the user first and on the network last."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from edgectl.config.paths import cache_directory
from edgectl.errors import ArtifactError
from edgectl.files import replacing_file
from edgectl.nn.state import abridge_names, load_by_key
from edgectl.plugins.info import WeightsSource
from edgectl.runs.checkpoint import Checkpoint, is_checkpoint
from edgectl.train.setup import TrainSetup

_TIMEOUT_S = 30.0
_CHUNK = 1 << 16


def find_weights(
    wanted: str, source: WeightsSource | None, *, offline: bool, warn: Callable[[str], None]
) -> Path | None:
    """``none``, a file, or ``auto``: ``$EDGECTL_WEIGHTS``, the cache, then the maker's address.

    Returns None for training from scratch; with ``auto`` that is said through ``warn``.

    Raises:
        ArtifactError: a file was named and is not there.
    """
    if wanted == "none":
        return None
    if wanted != "auto":
        path = Path(wanted)
        if not path.is_file():
            raise ArtifactError(
                "no such weights file", where=str(path), fix="--weights auto, none or a file"
            )
        return path
    if source is None:
        return None
    directories = [cache_directory() / "weights"]
    if os.environ.get("EDGECTL_WEIGHTS"):
        directories.insert(0, Path(os.environ["EDGECTL_WEIGHTS"]))
    for directory in directories:
        if (directory / source.filename).is_file():
            return directory / source.filename
    if source.url is None:
        warn(
            f"training from scratch: {source.filename} is not in $EDGECTL_WEIGHTS "
            "and has no published address"
        )
        return None
    if offline:
        warn(f"training from scratch: {source.filename} is not here, and --offline is set")
        return None
    return _download(source.url, cache_directory() / "weights" / source.filename, warn)


def _download(url: str, target: Path, warn: Callable[[str], None]) -> Path | None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response,  # noqa: S310 - https, ours
            replacing_file(target) as out,
        ):
            size = 0
            while chunk := response.read(_CHUNK):
                size += out.write(chunk)
            # read() ends without a word when the server hangs up
            if size != int(response.headers.get("Content-Length", size)):
                raise OSError("the connection broke")  # leaves no file: see replacing_file
    except (urllib.error.URLError, OSError) as e:
        warn(f"training from scratch: {url} cannot be reached ({e})")
        return None
    return target


def load_weights(setup: TrainSetup, model: nn.Module, path: Path) -> dict[str, Any]:
    """Into a fresh network: a checkpoint of edgectl's tensor by tensor, as it was trained; other files as
    the family reads them.

    Returns:
        ``{"matched": n, "of": m, "missing": [names]}``.

    Raises:
        ArtifactError: not one tensor fits; a checkpoint of another family, or of images prepared in
            another way.
    """
    if not is_checkpoint(path):
        return setup.family.load_weights(model, setup.model_config, path)
    checkpoint = Checkpoint.load(path)
    if checkpoint.family != setup.family_name:
        raise ArtifactError(
            f"a checkpoint of {checkpoint.family}, not of {setup.family_name}",
            where=str(path),
            fix="--weights auto, none or a file of this family",
        )
    seen, sees = checkpoint.preprocess, setup.preprocess
    if (seen.mean, seen.std, seen.channel_order) != (sees.mean, sees.std, sees.channel_order):
        raise ArtifactError(
            "its network saw images with another mean, deviation or order of channels",
            where=str(path),
            fix="train the same variant, with the settings of its config.resolved.toml",
        )
    fix = "train the same variant, or --weights none"
    return load_by_key(model, checkpoint.weights, where=path, fix=fix)


def describe(path: Path | None, loaded: Mapping[str, Any]) -> str:
    """What fitted, for people. loaded: as ``Family.load_weights`` returns it."""
    line = f"weights: {loaded['matched']} of {loaded['of']} tensors from {path}"
    missing = loaded["missing"]
    return line + (f"; from scratch: {abridge_names(missing)}" if missing else "")
