"""The toolkit's simulator: int8 as the NPU computes it, on this machine, in the toolkit's environment."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgectl.errors import ArtifactError
from edgectl.spec import OutputSpec
from edgectl.toolchains.process import ToolSession
from edgectl.toolchains.tool import find_tool
from edgectl_rknn.plugin import RKNN_TOOLKIT

# two builds of one network differ in pointers the toolkit writes by mistake, some ten bytes an operation;
# with other weights nearly all of the file is different
_UNSET_SHARE = 0.05


class SimulatorRunner:
    """A :class:`edgectl.backends.contract.Runner`. Building takes seconds, then images go one by one.

    Raises:
        BackendUnavailableError: the toolkit's environment is not there.
        ArtifactError: the files in the directory no longer build the file that ships.
        ToolError: the simulator failed.
    """

    arena_bytes: int | None = None

    def __init__(self, model_file: Path, specs: Sequence[OutputSpec]) -> None:
        tool = find_tool(RKNN_TOOLKIT)
        self._place = tempfile.TemporaryDirectory(prefix="edgectl-rknn-")
        self._specs = tuple(specs)
        self._session = ToolSession(
            tool,
            ["simulate.py"],
            model_file.parent,
            log=Path(self._place.name, "simulator.log"),
        )
        weakref.finalize(self, _close, self._session, self._place)
        facts = self._session.answer()
        if facts["differing"] > _UNSET_SHARE * facts["of"]:
            raise ArtifactError(
                "the compiler builds another file from the artifact's inputs than the one that ships: "
                f"{facts['differing']} of {facts['of']} bytes differ",
                where=str(model_file),
                fix="export again: edgectl export --backend rknn",
            )

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """(N, H, W, C) uint8 to one float32 NCHW array an output."""
        source, target = (Path(self._place.name, n) for n in ("x.npy", "y.npz"))
        np.save(source, images)
        self._session.request({"input": str(source), "output": str(target)})
        with np.load(target) as answer:
            return [answer[f"arr_{i}"].astype(np.float32) for i in range(len(self._specs))]


def _close(session: ToolSession, place: tempfile.TemporaryDirectory[str]) -> None:
    session.close()
    place.cleanup()
