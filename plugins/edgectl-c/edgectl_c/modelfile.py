"""The program a library was generated from, as data beside it: ``model.npz``.

The integer executor runs it, and the C text is generated from it again before anything is compiled: code that
came with a file is never run.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edgectl.errors import ArtifactError
from edgectl.quant.integer.program import Operation, Program, TensorRecord
from edgectl_c.code.model import Source, write_source
from edgectl_c.plan.plan import Plan, make_plan

FORMAT = "edgectl-c/1"
CODE, HEADER, DATA = "model.c", "model.h", "model.npz"
_AGAIN = "export again: edgectl export --backend c"


@dataclass(frozen=True)
class Library:
    """A program and how its input comes."""

    program: Program
    camera_rows: bool

    def plan(self) -> Plan:
        """Made once: it takes seconds for a detector. Raises UnsupportedOpError."""
        return self._plan

    @cached_property
    def _plan(self) -> Plan:
        return make_plan(self.program, camera_rows=self.camera_rows)


def write_library(library: Library, directory: Path) -> list[Path]:
    """``model.c``, ``model.h`` and ``model.npz``."""
    source = write_source(library.plan())
    files = [directory / name for name in (CODE, HEADER, DATA)]
    files[0].write_text(source.code, encoding="utf-8")
    files[1].write_text(source.header, encoding="utf-8")
    _save(library, files[2])
    return files


def read_library(model_file: Path) -> Library:
    """The library a ``model.c`` belongs to.

    Raises:
        ArtifactError: its data are absent or damaged.
    """
    path = model_file.with_name(DATA)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        document = json.loads(arrays.pop("program").tobytes())
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']}")
        return Library(_program(document, arrays, model_file), bool(document["camera_rows"]))
    except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as e:
        raise ArtifactError(
            f"not a network of this backend: {type(e).__name__}", where=str(path), fix=_AGAIN
        ) from e


def require_same(model_file: Path, source: Source) -> None:
    """Raises ArtifactError unless the C text is what its data give."""
    for path, text in ((model_file, source.code), (model_file.with_name(HEADER), source.header)):
        try:
            found = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise ArtifactError(f"cannot be read: {e}", where=str(path), fix=_AGAIN) from e
        if found != text:
            raise ArtifactError(
                "is not what its network gives: altered, or of another version",
                where=str(path),
                fix=_AGAIN,
            )


def _save(library: Library, path: Path) -> None:
    program = library.program
    tensors = [
        {
            "name": t.name,
            "shape": t.shape,
            "dtype": t.dtype,
            "scales": t.scales,
            "zero_points": t.zero_points,
            "axis": t.channel_axis,
        }
        for t in program.tensors
    ]
    operations = [
        {
            "name": op.name,
            "inputs": op.inputs,
            "outputs": op.outputs,
            "options": {k: _plain(v) for k, v in op.options.items()},
        }
        for op in program.operations
    ]
    document = {
        "format": FORMAT,
        "camera_rows": library.camera_rows,
        "tensors": tensors,
        "operations": operations,
        "inputs": program.inputs,
        "outputs": program.outputs,
        "names": [[i, name] for i, name in program.aliases.items()],
    }
    text = json.dumps(document).encode()
    arrays: dict[str, Any] = {f"t{t.index}": t.data for t in program.tensors if t.data is not None}
    np.savez(path, program=np.frombuffer(text, np.uint8), **arrays)


def _plain(value: Any) -> Any:
    """As JSON holds it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value


def _program(document: dict[str, Any], arrays: dict[str, np.ndarray], path: Path) -> Program:
    tensors = []
    for i, t in enumerate(document["tensors"]):
        data = arrays.get(f"t{i}")
        shape = tuple(int(n) for n in t["shape"])
        if data is not None and (data.shape != shape or data.dtype.name != t["dtype"]):
            raise ValueError(f"contents of tensor {i}")
        scales = tuple(float(s) for s in t["scales"])
        zeros = tuple(int(z) for z in t["zero_points"])
        tensors.append(
            TensorRecord(i, str(t["name"]), shape, str(t["dtype"]), scales, zeros, t["axis"], data)
        )
    operations = tuple(
        Operation(op["name"], 1, tuple(op["inputs"]), tuple(op["outputs"]), op["options"])
        for op in document["operations"]
    )
    used = {i for op in operations for i in (*op.inputs, *op.outputs)}
    ends = {*document["inputs"], *document["outputs"]}
    if not all(-1 <= i < len(tensors) for i in used | ends):
        raise ValueError("a tensor that does not exist")
    return Program(
        tuple(tensors),
        operations,
        tuple(document["inputs"]),
        tuple(document["outputs"]),
        {int(i): str(name) for i, name in document["names"]},
        path,
    )
