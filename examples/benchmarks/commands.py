"""What the benchmarks share: files kept whatever they lost, commands in processes of their own, tables."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edgectl.errors import GateFailedError

_GATE_FAILED = 4
R = TypeVar("R")


def keep(make: Callable[[], R]) -> R:
    """Runs an export or QAT. What lost more than the limit is a result here."""
    try:
        return make()
    except GateFailedError as e:
        if e.result is None:
            raise
        kept: R = e.result
        return kept


def edgectl(*words: str) -> dict[str, Any]:
    """One command with --json in a process of its own; returns its data. A failed gate is a result, other
    errors end all."""
    result = subprocess.run(
        [sys.executable, "-m", "edgectl", *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(result.stdout)
    if not document["ok"] and document["error"]["exit"] != _GATE_FAILED:
        sys.exit(f"edgectl {' '.join(words)}: {document['error']['message']}")
    return dict(document["data"] or {})


def absolute_paths(weights: str) -> str:
    """Makes the environment's folders, and a weights file, independent of the working directory."""
    for name in ("EDGECTL_DATA", "EDGECTL_WEIGHTS"):
        if name in os.environ:
            os.environ[name] = str(Path(os.environ[name]).resolve())
    return weights if weights in ("none", "auto") else str(Path(weights).resolve())


def table(seeds: Sequence[int], measure: Callable[[int], dict[str, float]]) -> None:
    """Prints one Markdown row a seed as it is measured, then the median."""
    rows = []
    for seed in seeds:
        row = measure(seed)
        if not rows:
            print("| | " + " | ".join(row) + " |")
            print("| --- |" + " ---: |" * len(row))
        rows.append(row)
        _print_row(f"seed {seed}", row)
    _print_row("**median**", {n: statistics.median(r[n] for r in rows) for n in rows[0]})


def _print_row(label: str, row: dict[str, float]) -> None:
    print(f"| {label} | " + " | ".join(f"{v:.3f}" for v in row.values()) + " |", flush=True)
