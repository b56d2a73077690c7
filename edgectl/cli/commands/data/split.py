"""``edgectl data split``."""

from __future__ import annotations

from pathlib import Path

import typer

from edgectl.cli.session import Session
from edgectl.errors import UsageError

EPILOG = "Example: edgectl data split ./my_images ./my_split --valid 0.2 --test 0.1"


def split(
    ctx: typer.Context,
    data: str = typer.Argument(help="Catalog name, directory or annotation file."),
    out: Path = typer.Argument(help="A new directory."),
    valid: float = typer.Option(0.2, min=0.0, max=0.9),
    test: float = typer.Option(0.0, min=0.0, max=0.9),
    seed: int = typer.Option(0, min=0),
    to: str = typer.Option("", "--to", help="Format; default: the set's own."),
) -> None:
    """Split a set anew: classes and sizes alike in every part, near-duplicates together."""
    session: Session = ctx.obj
    session.command = "data split"
    if valid + test >= 1.0 or valid + test == 0.0:
        raise UsageError(
            f"valid {valid} and test {test} leave nothing to train on or nothing to score",
            fix="--valid 0.2 --test 0.1",
        )

    from dataclasses import replace

    from edgectl.data.formats.writing import find_writer, write_dataset
    from edgectl.data.inspect.stats import describe
    from edgectl.data.inspect.survey import survey
    from edgectl.data.select.stratify import duplicate_groups, stratified
    from edgectl.workflows.opening.configuration import resolve_config
    from edgectl.workflows.opening.datasets import open_data

    index = open_data(session.open_context(), data, resolve_config({}, {}, []))
    groups = duplicate_groups(survey(index))
    samples = [s for v in index.splits.values() for s in v]
    shares = {"train": 1.0 - valid - test, "valid": valid, "test": test}
    parts = stratified(
        samples,
        groups,
        {k: v for k, v in shares.items() if v > 0},
        num_classes=len(index.classes),
        seed=seed,
    )
    divided = replace(
        index, splits={k: tuple(samples[i] for i in v) for k, v in parts.items() if v}
    )
    own = index.format if find_writer(index.format) else "coco-2017"
    write_dataset(divided, out, to or own)
    together = sum(len(g) for g in groups if len(g) > 1)
    session.data = {"directory": str(out), "seed": seed, "near_duplicates": together}
    session.data |= describe(divided)
    sizes = ", ".join(f"{k} {len(v)}" for k, v in divided.splits.items())
    session.say(f"{out}: {sizes}; {together} near-duplicates kept together")
