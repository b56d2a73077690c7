"""Asks whether a network would fit a board, trained or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgectl.config.layers import validate
from edgectl.config.schema import RunConfig
from edgectl.deploy.advice import Sketch, advise, plan_fit
from edgectl.deploy.fit import Fit
from edgectl.errors import GateFailedError, UsageError
from edgectl.plugins.board import BoardInfo
from edgectl.spec import Size
from edgectl.workflows.arguments import PathLike, SizeLike, read_path, read_size
from edgectl.workflows.console import Console
from edgectl.workflows.opening.backends import OpenBackend, open_backend
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.families import check_size, open_family
from edgectl.workflows.opening.models import open_model


@dataclass(frozen=True)
class FitReport:
    """What a network would take of a board.

    Attributes:
        fit: every need and its place. advice: what would fit, where it does not.
    """

    board: BoardInfo
    family: str
    variant: str
    input_size: Size
    backend: str
    fit: Fit
    advice: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``deploy --fit --json``."""
        return {
            "board": self.board.name,
            "family": self.family,
            "variant": self.variant,
            "input_size": list(self.input_size),
            "backend": self.backend,
            "fit": self.fit.to_dict(),
            "advice": list(self.advice),
        }


def fit(
    model: PathLike | None = None,
    *,
    target: str,
    family: str | None = None,
    variant: str = "",
    imgsz: SizeLike | None = None,
    classes: int = 2,
    backend: str | None = None,
    console: Console | None = None,
    offline: bool = False,
) -> FitReport:
    """``edgectl deploy --fit``: each argument is its option.

    Args:
        model: a run or checkpoint, in place of ``family``; default: the latest run.
        classes: of a family. A model has its own, as it has its variant and size.
        backend: default: the one the board prefers.

    Raises:
        UsageError: a backend the board does not run, a size the variant does not take.
        GateFailedError: it does not fit; the report is the error's ``result``.
    """
    context = open_context(console, offline)
    board = context.registry.boards.get(target)
    config = RunConfig()
    if family is None:
        if variant or imgsz is not None:
            raise UsageError(
                "a trained model has its own variant and size",
                where="--fit",
                fix="name a family for others: --family FAMILY",
            )
        opened = open_model(context.registry, read_path(model), prefer_artifact=False)
        assert opened.trained is not None
        checkpoint, config = opened.trained.checkpoint, opened.config
        family, variant = checkpoint.family, checkpoint.variant
        size, classes = checkpoint.preprocess.input_size, len(checkpoint.classes)
    else:
        chosen = open_family(context.registry, family).variant(variant)
        variant = chosen.name
        size = chosen.default_input_size if imgsz is None else read_size(imgsz)
        check_size(size, chosen)
    made = open_for_board(context, board, config, backend)
    sketch = sketch_of(context, family, made, classes)
    found = plan_fit(sketch, variant, size, board)
    advice = [] if found.passed else advise(sketch, found, variant, size)
    report = FitReport(board, family, variant, size, made.info.name, found, tuple(advice))
    if not found.passed:
        error = GateFailedError(
            f"{family} {variant} at {size[0]}x{size[1]} does not fit {board.name}: {found}",
            where="--fit",
            fix="; ".join(advice) or "'edgectl boards' shows what others hold",
        )
        error.result = report
        raise error
    return report


def open_for_board(
    context: Context, board: BoardInfo, config: RunConfig, wanted: str | None = None
) -> OpenBackend:
    """The backend a board prefers among those installed, or the wanted one of them.

    Raises:
        UsageError: one the board does not run.
    """
    if wanted is not None and wanted not in board.backends:
        raise UsageError(
            f"{board.name} runs files of {', '.join(board.backends)}, not of {wanted}",
            where="--backend",
        )
    there = [n for n in board.backends if context.registry.backends.claims(n)]
    return open_backend(context.registry, wanted or (there or board.backends)[0], config)


def sketch_of(context: Context, family: str, backend: OpenBackend, classes: int) -> Sketch:
    """Every variant of a family as its presets describe it."""
    made = open_family(context.registry, family)
    presets = {
        v.name: validate(
            made.family.config_type, made.family.presets(v.name).get("model", {}), prefix="model."
        )
        for v in made.info.variants
    }
    return Sketch(
        made.family,
        made.info.variants,
        presets,
        classes,
        backend.backend,
        backend.info,
        backend.config,
    )
