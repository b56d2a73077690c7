"""Puts together what a board needs: model, code, golden vectors to compare with."""

from __future__ import annotations

from pathlib import Path

from edgectl.deploy.advice import advise, plan_fit
from edgectl.deploy.bundle import Bundle, write_bundle
from edgectl.deploy.firmware import export_settings, require_firmware
from edgectl.errors import EdgectlError, GateFailedError, UnknownNameError
from edgectl.labels import Sample
from edgectl.plugins.absent import explain_missing_plugins
from edgectl.plugins.board import BoardInfo
from edgectl.runs.locate import resolve_model
from edgectl.workflows.arguments import PathLike, read_path
from edgectl.workflows.console import Console
from edgectl.workflows.export import run_export
from edgectl.workflows.export_request import make_request
from edgectl.workflows.fit import open_for_board, sketch_of
from edgectl.workflows.opening.backends import open_backend
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.exports import choose_for_board, exports_of
from edgectl.workflows.opening.models import OpenModel, open_model
from edgectl.workflows.opening.run_data import MovedDataError, data_for


def deploy(
    model: PathLike | None = None,
    *,
    target: str,
    out: PathLike | None = None,
    converted: PathLike | None = None,
    data: PathLike | None = None,
    firmware: str = "maker",
    console: Console | None = None,
    offline: bool = False,
) -> Bundle:
    """``edgectl deploy``: each argument is its option.

    Args:
        model: a run or an artifact; default: the latest run. Of a run's exports the one that fits the board
            is taken; where there is none, it is made.
        target: a board ``edgectl boards`` lists.
        out: default: ``deploy/BOARD`` beside the artifact's directory.
        converted: the zip a vendor's online converter returned.
        data: where the run's data set is now, if it has moved. Without it there are no golden images.
        firmware: ``own`` where the bundle's program runs and not the firmware the board came with.
        console: whom to tell of the progress; nobody by default.

    Raises:
        UsageError: an artifact for another board, or a run that cannot be exported for it.
        GateFailedError: the model does not fit the board, or its firmware would misread it.
        BackendUnavailableError: a compiler the board's files need is not here.
    """
    context = open_context(console, offline)
    board = context.registry.boards.get(target)
    moved = None if data is None else str(data)
    if firmware not in ("maker", "own"):
        raise UnknownNameError("firmware", firmware, ("maker", "own"), where="--firmware")
    own = firmware == "own"
    opened = _open_export(context, read_path(model), board, moved, own=own)
    assert opened.artifact is not None
    with explain_missing_plugins(opened.versions):
        backend = open_backend(context.registry, opened.artifact.backend, opened.config)
    for words in require_firmware(board, opened.artifact.manifest, own_program=own):
        context.console.warn(words)
    try:
        bundle = write_bundle(
            opened.artifact,
            board,
            backend.backend,
            backend.info,
            read_path(out) or opened.artifact.directory.parent.parent / "deploy" / board.name,
            samples=_golden_samples(context, opened, moved),
            converted=read_path(converted),
        )
    except GateFailedError as e:
        e.fix = _advice(context, opened, board) or e.fix
        raise
    if bundle.fit.ram_unknown:
        context.console.warn(f"RAM is not checked: {bundle.fit.ram_unknown}")
    if bundle.fit.external:
        context.console.warn(
            f"the model's activations lie outside {board.name}'s processor, where they are slow"
        )
    return bundle


def _open_export(
    context: Context, model: Path | None, board: BoardInfo, data: str | None, *, own: bool
) -> OpenModel:
    """The artifact named, the run's best for the board, or a fresh one."""
    location = resolve_model(model)
    if location.kind in ("artifact", "file"):
        return open_model(context.registry, model, prefer_artifact=True)
    chosen = choose_for_board(exports_of(location), board, own_program=own)
    if chosen is None:
        opened = open_model(context.registry, model, prefer_artifact=False)
        assert opened.trained is not None
        backend = open_for_board(context, board, opened.config).info.name
        words = []
        if board.firmware is not None and backend == board.firmware.backend and not own:
            words = export_settings(board.firmware, opened.trained.outputs)
        settings = "".join(f" --set {word}" for word in words)
        context.console.note(
            f"no export for {board.name} yet: edgectl export --backend {backend}{settings}"
        )
        out = None
        if words:  # beside an export that others use
            out = opened.location.path.parent.parent / "export" / f"{backend}-int8-{board.name}"
        request = make_request(context, opened, backend, data=data, out=out, assignments=words)
        chosen = run_export(context, request, plan_only=False)
    return open_model(context.registry, chosen.directory, prefer_artifact=True)


def _golden_samples(context: Context, opened: OpenModel, data: str | None) -> tuple[Sample, ...]:
    assert opened.artifact is not None
    if not opened.artifact.manifest.data.name:
        return ()
    try:
        index = data_for(context, opened, data, same=True)
    except MovedDataError as e:
        context.console.warn(f"no golden images: {e.message}; {e.fix}")
        return ()
    return index.splits.get(opened.config.data.valid_split, ())


def _advice(context: Context, opened: OpenModel, board: BoardInfo) -> str:
    """What would fit, by its numbers; empty where nobody can tell."""
    assert opened.artifact is not None
    manifest = opened.artifact.manifest
    context.console.note("looking for what would fit")
    try:
        backend = open_backend(context.registry, manifest.backend, opened.config)
        sketch = sketch_of(context, manifest.family, backend, len(manifest.classes))
        size = manifest.preprocess.input_size
        fit = plan_fit(sketch, manifest.variant, size, board)
        return "" if fit.passed else "; ".join(advise(sketch, fit, manifest.variant, size))
    except EdgectlError:  # the gate's own words stand
        return ""
