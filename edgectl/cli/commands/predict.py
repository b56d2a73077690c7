"""``edgectl predict``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from edgectl.cli.session import Session
from edgectl.errors import DataError, UsageError
from edgectl.plugins.registry import build_registry

if TYPE_CHECKING:
    import numpy as np

app = typer.Typer(add_completion=False)

_EPILOG = """Examples:

edgectl predict image.jpg                            with the latest run's exported file

edgectl predict runs/train/rtmdet-001 ./images --out ./seen

edgectl predict runs/train/rtmdet-001 film.mp4 --out ./seen --every 5"""


@app.command(epilog=_EPILOG)
def predict(
    ctx: typer.Context,
    words: list[Path] = typer.Argument(help="[MODEL] and an image, a directory or a video."),
    out: Path | None = typer.Option(None, help="Directory for images with what was found."),
    runtime: str | None = typer.Option(None, help="One of the backend's runtimes."),
    threshold: float | None = typer.Option(
        None, min=0.0, max=1.0, help="Instead of the operating point; detectors: 0.3."
    ),
    every: int = typer.Option(1, min=1, help="Of a video: every so manyeth frame."),
) -> None:
    """Run a model on images of your own."""
    session: Session = ctx.obj
    if len(words) > 2:
        raise UsageError("one model and one source at a time", fix="edgectl predict [MODEL] SOURCE")

    import cv2

    from edgectl.evaluation.predict import draw, find, summarize
    from edgectl.files import replacing_file
    from edgectl.tasks.lookup import task_info
    from edgectl.workflows.opening.models import open_for_evaluation, open_model

    source = words[-1]
    registry = build_registry()
    opened = open_model(registry, words[0] if len(words) == 2 else None, prefer_artifact=True)
    if threshold is None:
        threshold = task_info(opened.family.info.task).shown_threshold
    model = open_for_evaluation(registry, opened, runtime=runtime, threshold=threshold)
    results = []
    targets = _Targets(out, source) if out is not None else None
    for name, image in _images(source, every):
        found = find(model, image)
        results.append({"image": name, "found": found})
        if targets is not None:
            target = targets.of(name)
            done, data = cv2.imencode(".png", draw(model, image, found))
            assert done
            with replacing_file(target) as f:
                f.write(data.tobytes())
            results[-1]["drawn"] = str(target)
        if not session.json:
            shown = summarize(model, found) or "nothing"
            session.say(f"{name}: {shown}")
    session.data = {"model": model.identity.to_dict(), "results": results}


class _Targets:
    """Where drawings go: a name each, and never over an image of the source.

    Raises:
        UsageError: ``out`` is the source's own directory, or no directory.
    """

    def __init__(self, out: Path, source: Path) -> None:
        home = source if source.is_dir() else source.parent
        if out.resolve() == home.resolve():
            raise UsageError(
                "the drawings would lie among the images they are of, and replace some",
                where=str(out),
                fix="name another --out",
            )
        if out.exists() and not out.is_dir():
            raise UsageError("is a file", where=str(out), fix="--out names a directory")
        out.mkdir(parents=True, exist_ok=True)
        self._out = out
        self._used: set[str] = set()

    def of(self, name: str) -> Path:
        """``a.png`` of ``a.jpg``; of a second image of that stem, ``a.bmp.png``. Names differ in more
        than case, for disks that do not tell it."""
        stem = Path(name).stem
        chosen = stem if stem.lower() not in self._used else name
        while chosen.lower() in self._used:
            chosen += "_"
        self._used.add(chosen.lower())
        return self._out / f"{chosen}.png"


def _images(source: Path, every: int) -> Iterator[tuple[str, np.ndarray]]:
    """(name, bgr pixels). Raises DataError for what cannot be read."""
    from edgectl.data.images.preprocess import decode
    from edgectl.data.index import IMAGE_SUFFIXES

    if source.is_dir():
        files = sorted(p for p in source.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise DataError("no images in the directory", where=str(source))
        for file in files:
            yield file.name, decode(file)
    elif source.suffix.lower() in IMAGE_SUFFIXES or not source.exists():
        yield source.name, decode(source)
    else:
        yield from _frames(source, every)


def _frames(source: Path, every: int) -> Iterator[tuple[str, Any]]:
    import cv2

    video = cv2.VideoCapture(str(source))
    number = 0
    try:
        while True:
            there, frame = video.read()
            if not there:
                break
            if number % every == 0:
                yield f"{source.stem}_{number:06}.png", frame
            number += 1
    finally:
        video.release()
    if not number:
        raise DataError(
            "neither an image nor a video OpenCV can read",
            where=str(source),
            fix="JPEG, PNG, BMP, WebP, or a video in a common format",
        )
