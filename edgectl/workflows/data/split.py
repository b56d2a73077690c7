"""Splits a set anew: classes and sizes alike in every part, near-duplicates together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgectl.data.formats.writing import find_writer, write_dataset
from edgectl.data.index import DatasetIndex
from edgectl.data.inspect.stats import describe
from edgectl.data.inspect.survey import survey
from edgectl.data.select.stratify import duplicate_groups, stratified
from edgectl.errors import UsageError
from edgectl.workflows.arguments import PathLike, Settings
from edgectl.workflows.console import Console
from edgectl.workflows.data.configuration import resolve_data_config
from edgectl.workflows.opening.context import Context, open_context
from edgectl.workflows.opening.datasets import open_data


@dataclass(frozen=True)
class SplitData:
    """The set that was written. ``near_duplicates``: images kept together with one like them."""

    directory: Path
    seed: int
    near_duplicates: int
    facts: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``data split --json``."""
        return {
            "directory": str(self.directory),
            "seed": self.seed,
            "near_duplicates": self.near_duplicates,
            **self.facts,
        }


def split_data(
    data: PathLike,
    out: PathLike,
    *,
    valid: float = 0.2,
    test: float = 0.0,
    seed: int = 0,
    to: str = "",
    images: PathLike | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
) -> SplitData:
    """``edgectl data split``: each argument is its option.

    Args:
        data: a catalog name, a directory or an annotation file.
        out: a new directory.
        to: a format; default: the set's own.

    Raises:
        UsageError: shares that leave nothing to train on, or nothing to score.
    """
    if valid + test >= 1.0 or valid + test == 0.0:
        raise UsageError(
            f"valid {valid} and test {test} leave nothing to train on or nothing to score",
            fix="--valid 0.2 --test 0.1",
        )
    context = open_context(console, offline)
    index = open_data(context, str(data), resolve_data_config(set, images))
    shares = {"train": 1.0 - valid - test, "valid": valid, "test": test}
    divided, together = _divide(context, index, {k: v for k, v in shares.items() if v > 0}, seed)
    own = index.format if find_writer(index.format) else "coco-2017"
    with context.console.bar("writing images", index.count_images()) as done:
        write_dataset(divided, Path(out), to or own, lambda: done(1))
    return SplitData(Path(out), seed, together, describe(divided))


def _divide(
    context: Context, index: DatasetIndex, shares: dict[str, float], seed: int
) -> tuple[DatasetIndex, int]:
    """The set in new splits, and how many images have a near-duplicate beside them."""
    with context.console.bar("reading images", index.count_images()) as seen:
        facts = survey(index, lambda: seen(1))
    with context.console.bar("comparing images", len(facts)) as compared:
        groups = duplicate_groups(facts, lambda: compared(1))
    samples = [s for v in index.splits.values() for s in v]
    parts = stratified(samples, groups, shares, num_classes=len(index.classes), seed=seed)
    splits = {k: tuple(samples[i] for i in v) for k, v in parts.items() if v}
    return replace(index, splits=splits), sum(len(g) for g in groups if len(g) > 1)
