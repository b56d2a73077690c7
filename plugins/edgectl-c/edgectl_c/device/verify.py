"""Holds a library against the integer executor where it runs."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgectl.artifacts.artifact import read_manifest
from edgectl.backends.device import DeviceCheck
from edgectl.errors import ArtifactError, UnknownNameError
from edgectl.files import MANIFEST
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl_c.code.model import write_source
from edgectl_c.device.build import (
    build_for,
    measure_sizes,
    require_tools,
    run_here,
    run_on,
    write_program,
)
from edgectl_c.device.machines import MACHINES
from edgectl_c.device.report import ImageReport, parse_report
from edgectl_c.modelfile import Library, read_library, require_same
from edgectl_c.plan.plan import Plan
from edgectl_c.program.golden import fnv1a
from edgectl_c.program.texts import require_same_program, write_texts

HOST = "host"
CPUS = (*MACHINES, HOST)


class Verification:
    """One library with golden images.

    Args:
        images: uint8 (N, H, W, C), resized.

    Raises:
        ArtifactError: damaged files; code that is not what its data give.
    """

    def __init__(self, model_file: Path, images: np.ndarray) -> None:
        self.library: Library = read_library(model_file)
        self.plan: Plan = self.library.plan()
        self.source = write_source(self.plan)
        require_same(model_file, self.source)
        program = self.library.program
        wanted = program.tensors[program.inputs[0]].shape[1:]
        if images.shape[1:] != wanted:
            raise ArtifactError(
                f"golden images are {images.shape[1:]}, the library takes {wanted}",
                where=str(model_file),
            )
        self.images = (images ^ 0x80).view(np.int8)
        self.executor = IntegerExecutor(program)
        listing = model_file.with_name(MANIFEST)
        manifest = read_manifest(listing) if listing.is_file() else None
        self.texts = write_texts(program, self.source, manifest, images).files
        require_same_program(model_file.parent, self.texts)

    def on(self, cpu: str) -> DeviceCheck:
        """Builds and runs it.

        Raises:
            UnknownNameError: not one of :data:`CPUS`.
            BackendUnavailableError: no compiler or emulator.
        """
        if cpu not in CPUS:
            raise UnknownNameError("processor", cpu, CPUS, where="--cpu")
        if cpu != HOST:
            require_tools()
        with tempfile.TemporaryDirectory(prefix="edgectl-c-") as name:
            directory = Path(name)
            write_program(self.texts, directory)
            if cpu == HOST:
                return self._judge(cpu, lambda steps: run_here(directory, steps=steps))
            machine = MACHINES[cpu]
            flash, ram = measure_sizes(machine, directory)
            check = self._judge(
                cpu, lambda steps: run_on(machine, build_for(machine, directory, steps=steps))
            )
        return check.measured(
            instructions=machine.instructions(check.ticks), flash_bytes=flash, ram_bytes=ram
        )

    def of_dump(self, dump: Path) -> DeviceCheck:
        """What a real board printed. Raises ArtifactError where it is not a complete print-out."""
        try:
            text = dump.read_text(encoding="utf-8", errors="replace")
        except OSError as e:
            raise ArtifactError(f"cannot be read: {e.strerror}", where=str(dump)) from e
        reports = self._parsed(text, str(dump))
        return self._check(dump.name, reports, self.first_layer(reports))

    def _judge(self, cpu: str, run: Callable[[bool], str]) -> DeviceCheck:
        reports = self._parsed(run(False), cpu)
        first = None
        if any(count for r in reports for count, _ in r.differing.values()):
            first = self.first_layer(self._parsed(run(True), cpu))
        return self._check(cpu, reports, first)

    def _parsed(self, text: str, where: str) -> list[ImageReport]:
        outputs = len(self.library.program.outputs)
        return parse_report(text, images=len(self.images), outputs=outputs, where=where)

    def _check(self, name: str, reports: list[ImageReport], first: str | None) -> DeviceCheck:
        pairs = [pair for r in reports for pair in r.differing.values()]
        return DeviceCheck(
            name,
            images=len(reports),
            differs=sum(count for count, _ in pairs),
            largest=max((largest for _, largest in pairs), default=0),
            first=first,
            ticks=max((r.ticks for r in reports), default=0),
            stack_bytes=max((r.stack for r in reports), default=0) or None,
            results=sum(r.decoded[0] for r in reports if r.decoded),
            results_wrong=sum(r.decoded[1] for r in reports if r.decoded),
            decode_stack_bytes=max((r.decode_stack for r in reports), default=0) or None,
        )

    def first_layer(self, reports: list[ImageReport]) -> str | None:
        """The first step whose rows are not the executor's, of the first image that shows one."""
        rows = Counter(self.plan.order)
        for image, report in zip(self.images, reports, strict=True):
            if not report.steps:
                continue
            tensors = self.executor.tensors(image[None])
            for k, step in enumerate(self.plan.network.steps):
                buffer = self.plan.network.buffers[step.output]
                expected = tensors[buffer.tensor].reshape(-1)[: rows[k] * buffer.row_bytes]
                if report.steps.get(k) != fnv1a(expected):
                    return step.name
        return None
