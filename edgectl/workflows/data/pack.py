"""Puts images and labels into one memory-mapped pack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgectl.data.formats.pack import write_pack
from edgectl.errors import UsageError
from edgectl.workflows.arguments import PathLike, Settings
from edgectl.workflows.console import Console
from edgectl.workflows.data.configuration import resolve_data_config
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.datasets import open_data


@dataclass(frozen=True)
class Pack:
    """What was packed. ``splits``: images of each."""

    path: Path
    images: int
    bytes: int
    splits: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``data pack --json``."""
        return {
            "pack": str(self.path),
            "images": self.images,
            "bytes": self.bytes,
            "splits": self.splits,
        }


def pack_data(
    data: PathLike,
    out: PathLike | None = None,
    *,
    to: str = "lmdb",
    split_name: Sequence[str] = (),
    workers: int = 4,
    images: PathLike | None = None,
    set: Settings = (),  # noqa: A002 - the option's name
    console: Console | None = None,
    offline: bool = False,
) -> Pack:
    """``edgectl data pack``: each argument is its option.

    Args:
        data: a catalog name, a directory or an annotation file.
        out: a new directory; default: ``NAME.lmdb`` here.
        split_name: only these; default: all.
        workers: threads that read images.

    Raises:
        UsageError: another kind of pack, or no such split.
    """
    if to != "lmdb":
        raise UsageError(f"no pack of the kind '{to}'", where="--to", fix="--to lmdb")
    context = open_context(console, offline)
    index = open_data(context, str(data), resolve_data_config(set, images))
    absent = [n for n in split_name if n not in index.splits]
    if absent:
        raise UsageError(
            f"no split '{absent[0]}'",
            where="--split-name",
            fix="one of " + ", ".join(sorted(index.splits)),
        )
    if split_name:
        index = replace(index, splits={n: index.splits[n] for n in split_name})
    path = Path(f"{index.name}.lmdb" if out is None else out)
    with context.console.bar("packing images", index.count_images()) as packed:
        done = write_pack(index, path, workers=workers, seen=lambda: packed(1))
    return Pack(path, done.images, done.bytes, {n: len(v) for n, v in index.splits.items()})
