"""``export FILE``: a model file of another program, for a backend that writes its arithmetic."""

from __future__ import annotations

from pathlib import Path

from edgectl.artifacts.artifact import Artifact
from edgectl.errors import UsageError
from edgectl.export.convert import Side, convert_file
from edgectl.runs.locate import resolve_model
from edgectl.workflows.opening.backends import open_backend
from edgectl.workflows.opening.configuration import resolve_config
from edgectl.workflows.opening.context import Context


def find_file(context: Context, model: Path | None) -> Path | None:
    """The bare model file MODEL is, where a backend here reads files of its kind."""
    if model is None or not model.is_file():
        return None
    location = resolve_model(model)
    is_file = location.kind == "file" and context.registry.backend_of(location.path) is not None
    return location.path if is_file else None


def convert(
    context: Context,
    file: Path,
    backend: str,
    *,
    precision: str | None,
    out: Path | None,
    assignments: list[str],
) -> Artifact:
    """Writes ``out``, by default a directory ``FILE-BACKEND-int8`` beside the file.

    Raises:
        UsageError, UnsupportedOpError, GateFailedError: see :func:`edgectl.export.convert.convert_file`.
    """
    if precision not in (None, "int8"):
        raise UsageError(
            f"the file's integers are kept; they do not become {precision}", where="--precision"
        )
    config = resolve_config({}, {}, assignments)
    name = context.registry.backend_of(file)
    assert name is not None
    source, target = (open_backend(context.registry, n, config) for n in (name, backend))
    return convert_file(
        file,
        Side(source.backend, source.info),
        Side(target.backend, target.info),
        target.config,
        out or file.with_name(f"{file.stem}-{backend}-int8"),
        context.console.note,
    )
