"""Puts together what a board needs: model, code, golden vectors to compare with."""

from __future__ import annotations

from edgectl.deploy.bundle import Bundle, write_bundle
from edgectl.errors import UsageError
from edgectl.labels import Sample
from edgectl.plugins.absent import explain_missing_plugins
from edgectl.workflows.arguments import PathLike, read_path
from edgectl.workflows.console import Console
from edgectl.workflows.opening.backends import open_backend
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.models import open_model
from edgectl.workflows.opening.run_data import MovedDataError, data_for


def deploy(
    model: PathLike | None = None,
    *,
    target: str,
    out: PathLike | None = None,
    converted: PathLike | None = None,
    data: PathLike | None = None,
    console: Console | None = None,
    offline: bool = False,
) -> Bundle:
    """``edgectl deploy``: each argument is its option.

    Args:
        model: a run or an artifact; default: what the latest run exported.
        target: a board ``edgectl boards`` lists.
        out: default: ``deploy/BOARD`` beside the artifact's directory.
        converted: the zip a vendor's online converter returned.
        data: where the run's data set is now, if it has moved. Without it there are no golden images.
        console: whom to tell of the progress; nobody by default.

    Raises:
        UsageError: nothing exported, or for another board.
        GateFailedError: the model does not fit the board; nothing is written.
    """
    context = open_context(console, offline)
    board = context.registry.boards.get(target)
    opened = open_model(context.registry, read_path(model), prefer_artifact=True)
    if opened.artifact is None:
        raise UsageError(
            "nothing exported to deploy",
            where=str(opened.location.path),
            fix=f"edgectl export --backend {board.backend}",
        )
    with explain_missing_plugins(opened.versions):
        backend = open_backend(context.registry, opened.artifact.backend, opened.config)
    samples: tuple[Sample, ...] = ()
    if opened.artifact.manifest.data.name:
        try:
            index = data_for(context, opened, None if data is None else str(data), same=True)
            samples = index.splits.get(opened.config.data.valid_split, ())
        except MovedDataError as e:
            context.console.warn(f"no golden images: {e.message}; {e.fix}")
    bundle = write_bundle(
        opened.artifact,
        board,
        backend.backend,
        backend.info,
        read_path(out) or opened.artifact.directory.parent.parent / "deploy" / board.name,
        samples=samples,
        converted=read_path(converted),
    )
    if bundle.fit.ram_unknown:
        context.console.warn(f"RAM is not checked: {bundle.fit.ram_unknown}")
    return bundle
