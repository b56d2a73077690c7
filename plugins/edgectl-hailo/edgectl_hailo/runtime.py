"""The compiler's emulators and the device, each a process of its own that answers with raw heads.

``sdk-native`` runs the network as parsed, ``sdk-optimized`` with the model script in floating point,
``sdk-quantized`` as the chip computes, ``hailort`` the chip.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.backends.contract import Runner
from edgectl.config.paths import cache_directory
from edgectl.errors import ArtifactError, UnknownNameError
from edgectl.spec import OutputSpec
from edgectl.toolchains.process import ToolSession
from edgectl.toolchains.tool import find_tool
from edgectl_hailo.plan import COMPILE, HEF, OPTIMISED, PARSED, SERVE, SETTINGS, red_first
from edgectl_hailo.tools import COMPILER, RUNTIME

_FILES = {
    "sdk-quantized": OPTIMISED,
    "sdk-optimized": OPTIMISED,
    "sdk-native": PARSED,
    "hailort": HEF,
}
_DEVICE = "device.py"


def open_runner(model_file: Path, runtime: str, specs: Sequence[OutputSpec]) -> Runner:
    """Starts the program, which loads the network and waits for images.

    Raises:
        UnknownNameError: another runtime.
        BackendUnavailableError: compiler or HailoRT are absent.
        ArtifactError: a file of the plan is missing.
    """
    if runtime not in _FILES:
        raise UnknownNameError("runtime", runtime, _FILES, where="--runtime")
    directory = model_file.parent
    if not (directory / SETTINGS).is_file():
        raise ArtifactError(
            f"no {SETTINGS} beside it, which says what the outputs are",
            where=str(model_file),
            fix="name the artifact's directory",
        )
    settings = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
    if not (directory / _FILES[runtime]).is_file():
        raise ArtifactError(
            f"{runtime} runs {_FILES[runtime]}, which is not there",
            where=str(directory),
            fix="export again where the compiler is installed: edgectl export --backend hailo",
        )
    return HailoRunner(directory, runtime, specs, settings)


class HailoRunner:
    """A :class:`edgectl.backends.contract.Runner`."""

    arena_bytes: int | None = None

    def __init__(
        self,
        directory: Path,
        runtime: str,
        specs: Sequence[OutputSpec],
        settings: Mapping[str, Any],
    ) -> None:
        tool = find_tool(RUNTIME if runtime == "hailort" else COMPILER)
        self._order = str(settings["channel_order"])
        self._shapes = {h["name"]: tuple(h["shape"]) for h in settings["heads"]}
        self._names = [s.name for s in specs]
        # a place of its own: an artifact is read only, and a container sees no other directory
        self._place = tempfile.TemporaryDirectory(prefix="edgectl-hailo-")
        place = Path(self._place.name)
        for name in (SETTINGS, _FILES[runtime]):
            shutil.copy2(directory / name, place / name)
        package = resources.files("edgectl_hailo")
        for folder, name in (("job", COMPILE), ("job", SERVE), ("board", _DEVICE)):
            source = (package / folder / name).read_text(encoding="utf-8")
            (place / name).write_text(source, encoding="utf-8")
        log = cache_directory() / "logs" / f"{runtime}.log"
        self._session = ToolSession(tool, [SERVE, runtime], place, log=log)
        weakref.finalize(self, _close, self._session, self._place)

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """(N, H, W, C) uint8 in the spec's order to one float32 NCHW (or (N, C)) array an output."""
        place = Path(self._place.name)
        np.save(place / "images.npy", red_first(images, self._order))
        self._session.request({"images": "images.npy", "heads": "heads.npz"})
        with np.load(place / "heads.npz") as heads:
            return [self._as_onnx(name, heads[name]) for name in self._names]

    def _as_onnx(self, name: str, array: np.ndarray) -> np.ndarray:
        shape = self._shapes[name]
        if len(shape) == 4:
            channels, rows, columns = shape[1:]
            array = array.reshape(-1, rows, columns, channels).transpose(0, 3, 1, 2)
        else:
            array = array.reshape(-1, *shape[1:])
        return np.ascontiguousarray(array, np.float32)


def _close(session: ToolSession, place: tempfile.TemporaryDirectory[str]) -> None:
    session.close()
    place.cleanup()
