"""A model file of another program, written for another backend: the same integers, no calibration.

The new file is run on every exact runtime there is, the old one on its own; all of them must agree in every
element before the new one is kept.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.artifacts.artifact import Artifact, open_artifact, write_manifest
from edgectl.artifacts.manifest import (
    GraphParity,
    Manifest,
    Origin,
    Parity,
    RuntimeParity,
    Tensors,
    TrainingData,
)
from edgectl.backends.contract import ProgramReader, ProgramWriter
from edgectl.backends.runtime import open_runtime
from edgectl.errors import BackendUnavailableError, GateFailedError, UsageError
from edgectl.files import replacing, sha256_of
from edgectl.plugins.info import BackendInfo
from edgectl.quant.integer.program import Program
from edgectl.runs.provenance import versions
from edgectl.spec import OutputSpec, PreprocessSpec, Progress

_IMAGES = 8
_PATCHES = 6


@dataclass(frozen=True)
class Side:
    """A backend that reads or writes programs, and what it registered."""

    backend: Any
    info: BackendInfo


def convert_file(
    file: Path,
    source: Side,
    target: Side,
    config: Any,
    out: Path,
    progress: Progress = lambda _: None,
) -> Artifact:
    """``out`` as an artifact of ``target`` that computes what ``file`` computes.

    Raises:
        UsageError: a backend that does not read, or write, op lists.
        UnsupportedOpError: an op the target has no code for.
        GateFailedError: two runtimes differ.
    """
    reader, writer = source.backend, target.backend
    if not isinstance(reader, ProgramReader) or not isinstance(writer, ProgramWriter):
        raise UsageError(
            f"{source.info.name} files cannot be written as {target.info.name}",
            where=str(file),
            fix="name a run or a checkpoint",
        )
    program = reader.read_program(file)
    with replacing(out, "artifact") as directory:
        progress("writing")
        files = writer.write_program(program, directory, config)
        progress("checking parity")
        manifest = _manifest(
            program,
            file,
            target,
            out,
            model=files[0].relative_to(directory).as_posix(),
            parity=_parity(program, file, source, target, files[0]),
            tensors=Tensors.from_description(target.backend.describe(files[0])),
        )
        (directory / "README.md").write_text(target.backend.usage(manifest), encoding="utf-8")
        write_manifest(directory, manifest)
    return open_artifact(out)


def _manifest(
    program: Program,
    file: Path,
    target: Side,
    out: Path,
    *,
    model: str,
    parity: Parity,
    tensors: Tensors,
) -> Manifest:
    tensor = program.tensors[program.inputs[0]]
    height, width = tensor.shape[1:3] if len(tensor.shape) == 4 else (1, tensor.shape[-2])
    gray = len(tensor.shape) == 4 and tensor.shape[-1] == 1
    # the device is fed pixel - 128
    mean, std = 128.0 + tensor.zero_points[0], 1.0 / tensor.scales[0]
    outputs = tuple(
        OutputSpec(program.label(i), "tensor", 0, program.tensors[i].shape[-1])
        for i in program.outputs
    )
    return Manifest(
        backend=target.info.name,
        precision="int8",
        stage="converted",
        status="built",
        family="file",
        variant=file.stem,
        network_config={},
        task="tensors",
        classes=tuple(str(i) for i in range(outputs[0].channels)),
        preprocess=PreprocessSpec(
            input_size=(height, width),
            resize="stretch",
            channel_order="gray" if gray else "rgb",
            mean=(mean,) * (1 if gray else 3),
            std=(std,) * (1 if gray else 3),
        ),
        outputs=outputs,
        # relative, so that the two can be moved together
        checkpoint=Origin(path=Path(os.path.relpath(file, out)).as_posix(), sha256=sha256_of(file)),
        data=TrainingData(),
        tools=versions(),
        model=model,
        parity=parity,
        tensors=tensors,
    )


def _parity(program: Program, file: Path, source: Side, target: Side, written: Path) -> Parity:
    images = synthetic_images(program.tensors[program.inputs[0]].shape, _IMAGES)
    absent: dict[str, str] = {}
    results: dict[str, list[np.ndarray]] = {}
    for side, path in ((source, file), (target, written)):
        for name in side.info.exact:
            label = name if side is target else f"{side.info.name} {name}"
            try:
                runner = open_runtime(
                    side.backend, side.info, path, runtime=name, specs=(), preprocess=None
                )
            except BackendUnavailableError as e:
                absent[label] = e.message
                continue
            results[label] = runner(images)
    reference = next(iter(results))
    runtimes = {}
    for name, outputs in results.items():
        pairs = list(zip(outputs, results[reference], strict=True))
        runtimes[name] = RuntimeParity(
            differing=sum(int(np.count_nonzero(a != b)) for a, b in pairs),
            of=sum(a.size for a in outputs),
            max_abs=max(float(np.abs(a - b).max(initial=0.0)) for a, b in pairs),
            exact=True,
        )
        if runtimes[name].differing:
            raise GateFailedError(
                f"{name} differs from {reference} in {runtimes[name].differing} elements",
                where=written.name,
                fix="please report this with the file",
            )
    return Parity(
        graph=GraphParity(images=len(images)),
        reference=reference,
        images=len(images),
        runtimes=runtimes,
        absent=absent,
    )


def synthetic_images(shape: tuple[int, ...], count: int) -> np.ndarray:
    """uint8 (count, height, width, channels): patches of contrast, and noise, the same for the same shape.

    Noise alone would leave most activations idle.
    """
    height, width, channels = shape[-3:] if len(shape) >= 4 else (1, *shape[-2:])
    seed = hashlib.sha256(repr((height, width, channels)).encode()).digest()
    rng = np.random.default_rng(list(seed[:8]))
    patches = rng.integers(0, 256, (count, _PATCHES, _PATCHES, channels))
    images = patches.repeat(-(-height // _PATCHES), 1).repeat(-(-width // _PATCHES), 2)
    images = images[:, :height, :width]
    images[::4] = rng.integers(0, 256, images[::4].shape)
    return images.astype(np.uint8)
