"""The OM on the NPU of this machine, through ais_bench in its own Python."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import numpy as np

from edgectl.spec import OutputSpec
from edgectl.toolchains.process import ToolSession
from edgectl.toolchains.tool import find_tool
from edgectl_ascend.plugin import AIS_BENCH


class AclRunner:
    """A :class:`edgectl.backends.contract.Runner`.

    Raises:
        BackendUnavailableError: ais_bench is not there.
        ToolError: the device refused.
    """

    arena_bytes: int | None = None

    def __init__(self, model_file: Path, specs: Sequence[OutputSpec], *, bgr: bool) -> None:
        tool = find_tool(AIS_BENCH)
        self._specs, self._bgr = tuple(specs), bgr
        self._place = tempfile.TemporaryDirectory(prefix="edgectl-ascend-")
        here = Path(self._place.name)
        text = (resources.files("edgectl_ascend") / "job" / "serve.py").read_text("utf-8")
        (here / "serve.py").write_text(text, encoding="utf-8")
        words = ["serve.py", str(model_file.resolve())]
        self._session = ToolSession(tool, words, here, log=here / "npu.log")
        weakref.finalize(self, _close, self._session, self._place)

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """(N, H, W, C) uint8, in the spec's order, to one float32 NCHW array an output."""
        # AIPP takes red first, and exchanges red and blue itself where the spec wants blue first
        images = images[..., ::-1] if self._bgr else images
        source, target = (Path(self._place.name, n) for n in ("x.npy", "y.npz"))
        np.save(source, np.ascontiguousarray(images))
        self._session.request({"input": str(source), "output": str(target)})
        with np.load(target) as answer:
            return [answer[f"arr_{i}"].astype(np.float32) for i in range(len(self._specs))]


def _close(session: ToolSession, place: tempfile.TemporaryDirectory[str]) -> None:
    session.close()
    place.cleanup()
