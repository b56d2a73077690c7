"""Compiles a .tflite file with Vela, every way it can be laid out, and keeps the best that fits."""

from __future__ import annotations

import csv
import importlib.util
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from edgectl.errors import ArtifactError, BackendUnavailableError
from edgectl.toolchains.process import ToolError
from edgectl.toolchains.tool import Tool, find_tool, isolated_environment
from edgectl_tflite.ethosu.merge import merge_slices
from edgectl_tflite.ethosu.settings import HX6538, MODE, SYSTEM, ChipSettings
from edgectl_tflite.plugin import VELA
from edgectl_tflite.reader.modelfile import parse_model
from edgectl_tflite.writer.write import write_program

_MODULE = "ethosu.vela"
_KIB = 1024
OPTIMIZERS = ("Performance", "Size")


@dataclass(frozen=True)
class Compiled:
    """One compiled file.

    Attributes:
        data: of ``model_vela.tflite``.
        sliced: compiled from the exported file as it is; else from one whose slices were joined.
        optimise: Vela's goal.
        sram_bytes: activations, the input among them. flash_bytes: weights and the command stream.
        cpu_operators: ops the neural processor does not take. npu_operators: those it does.
        milliseconds: an image, as Vela estimates it.
        version: of Vela.
    """

    data: bytes
    sliced: bool
    optimise: str
    sram_bytes: int
    flash_bytes: int
    cpu_operators: int
    npu_operators: int
    milliseconds: float
    version: str

    def to_dict(self) -> dict[str, Any]:
        """For manifests: all but the bytes."""
        return {
            **{k: v for k, v in asdict(self).items() if k != "data"},
            "file_bytes": len(self.data),
        }

    def __str__(self) -> str:
        graph = "sliced" if self.sliced else "whole"
        return (
            f"Vela {self.version}, --optimise {self.optimise}, {graph} expansions: "
            f"{self.sram_bytes / _KIB:,.1f} KiB SRAM, {self.flash_bytes / _KIB:,.1f} KiB flash, "
            f"{self.cpu_operators} of {self.cpu_operators + self.npu_operators} operators on the CPU, "
            f"about {self.milliseconds:.2f} ms"
        )


def find_vela() -> Tool:
    """Vela in this Python, where it is installed beside edgectl, else the managed one.

    Raises:
        BackendUnavailableError: nowhere, with the remedy.
    """
    if importlib.util.find_spec("ethosu") and importlib.util.find_spec(_MODULE):
        version = metadata.version(VELA.distribution)
        return Tool(VELA.name, (sys.executable,), "this Python", version)
    return find_tool(VELA)


def best_compiled(data: bytes, accelerator: str, sram_limit: int) -> Compiled:
    """The fastest layout whose activations fit ``sram_limit`` bytes; the smallest where none does.

    Raises:
        BackendUnavailableError: no Vela here.
        ToolError, ArtifactError: it failed on the file.
    """
    tried = compile_all(data, accelerator)
    fitting = [c for c in tried if c.sram_bytes <= sram_limit]
    if fitting:
        return min(fitting, key=lambda c: (c.cpu_operators, c.milliseconds, c.sram_bytes))
    return min(tried, key=lambda c: (c.cpu_operators, c.sram_bytes))


@lru_cache(maxsize=8)
def compile_all(data: bytes, accelerator: str) -> tuple[Compiled, ...]:
    """Sliced and whole expansions, for speed and for size."""
    tool = find_vela()
    files = {True: data}
    merged = merge_slices(parse_model(data))
    if merged is not None:
        files[False] = write_program(merged, "edgectl int8")
    return tuple(
        compile_file(tool, file, accelerator, optimise, sliced=sliced and merged is not None)
        for sliced, file in files.items()
        for optimise in OPTIMIZERS
    )


def compile_file(
    tool: Tool,
    data: bytes,
    accelerator: str,
    optimise: str,
    *,
    sliced: bool = False,
    settings: ChipSettings = HX6538,
) -> Compiled:
    """One run of Vela. Raises ToolError where it fails, ArtifactError where it leaves no file."""
    with tempfile.TemporaryDirectory(prefix="edgectl-vela-") as temporary:
        place = Path(temporary)
        (place / "model.tflite").write_bytes(data)
        (place / "chip.ini").write_text(settings.to_ini(), encoding="ascii")
        words = ["model.tflite", "--config", "chip.ini", "--output-dir", "out"]
        words += ["--accelerator-config", accelerator, "--optimise", optimise]
        words += ["--system-config", SYSTEM, "--memory-mode", MODE]
        printed = _run(tool, words, place)
        return _read(place / "out", printed, optimise, sliced, tool.version)


def _run(tool: Tool, words: list[str], place: Path) -> str:
    environment = isolated_environment() if tool.isolated else None
    try:
        done = subprocess.run(
            [*tool.argv, "-m", _MODULE, *words],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=tool.time_limit,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise ToolError(f"vela took more than {tool.time_limit:g} s") from e
    except OSError as e:
        raise BackendUnavailableError(f"vela cannot be started: {e.strerror}") from e
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise ToolError(f"vela failed: {said[-1] if said else 'without a word'}")
    return done.stdout


def _read(out: Path, printed: str, optimise: str, sliced: bool, version: str) -> Compiled:
    model = out / "model_vela.tflite"
    summary = next(iter(out.glob("*_summary_*.csv")), None)
    if not model.is_file() or summary is None:
        raise ArtifactError("vela wrote no file", where="model.tflite")
    with summary.open(newline="") as file:
        (row, *_) = csv.DictReader(file)
    return Compiled(
        data=model.read_bytes(),
        sliced=sliced,
        optimise=optimise,
        sram_bytes=round(float(row["sram_memory_used"]) * _KIB),
        flash_bytes=round(float(row["off_chip_flash_memory_used"]) * _KIB),
        cpu_operators=_count(printed, "CPU operators"),
        npu_operators=_count(printed, "NPU operators"),
        milliseconds=float(row["inference_time"]) * 1e3,
        version=version,
    )


def _count(printed: str, words: str) -> int:
    """``CPU operators = 3 (2.1%)``: the number."""
    for line in printed.splitlines():
        if line.startswith(words):
            return int(line.split("=")[1].split()[0])
    return 0
