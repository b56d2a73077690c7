"""Runs a model on images of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import cv2
import numpy as np

from edgectl.data.images.preprocess import decode
from edgectl.data.index import IMAGE_SUFFIXES
from edgectl.errors import DataError, UsageError
from edgectl.evaluation.evaluate import EvaluationTarget
from edgectl.evaluation.predict import draw, find, summarize
from edgectl.files import replacing_file
from edgectl.metrics.report import ModelIdentity
from edgectl.spec import TENSORS
from edgectl.tasks.lookup import task_info
from edgectl.workflows.arguments import PathLike, SizeLike, read_path
from edgectl.workflows.console import Console
from edgectl.workflows.opening.anything import open_anything
from edgectl.workflows.opening.context import open_context
from edgectl.workflows.opening.models import OpenModel, open_for_evaluation
from edgectl.workflows.opening.networks import NetworkOptions, read_statement


@dataclass(frozen=True)
class Prediction:
    """What was found in one image.

    Attributes:
        image: its file name, or a video's frame.
        found: a dictionary an object: ``label``, ``score`` and, of boxes and centers, ``box``
            [x0, y0, x1, y1] in pixels of the image; best first.
        summary: the same in one line; empty where nothing was found.
        drawn: the image with what was found, where one was asked for.
    """

    image: str
    found: list[dict[str, Any]]
    summary: str
    drawn: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        data: dict[str, Any] = {"image": self.image, "found": self.found}
        return data if self.drawn is None else {**data, "drawn": str(self.drawn)}


@dataclass(frozen=True)
class Predictions:
    """``model``: what predicted, as an evaluation's report names it."""

    model: ModelIdentity
    results: tuple[Prediction, ...]

    def to_dict(self) -> dict[str, Any]:
        """``data`` of ``predict --json``."""
        return {"model": self.model.to_dict(), "results": [r.to_dict() for r in self.results]}


def predict(
    model: PathLike | None,
    source: PathLike,
    *,
    out: PathLike | None = None,
    runtime: str | None = None,
    threshold: float | None = None,
    every: int = 1,
    device: str | None = None,
    imgsz: SizeLike | None = None,
    console: Console | None = None,
    offline: bool = False,
    on_image: Callable[[Prediction], None] = lambda prediction: None,
    **network: Unpack[NetworkOptions],
) -> Predictions:
    """``edgectl predict``: each argument is its option.

    Args:
        model: a run, checkpoint, artifact or network of another program; None: the latest run.
        source: an image, a directory of images or a video.
        out: a directory for images with what was found.
        threshold: of scores, 0 to 1; default: the operating point, for detectors 0.3.
        every: of a video, every so manyeth frame.
        device: where a checkpoint runs; default: the CPU.
        imgsz, network: of networks of other programs; see
            :class:`edgectl.workflows.opening.networks.NetworkOptions`.
        on_image: called with each prediction as it is made.

    Raises:
        UsageError: drawings would lie among the images they are of; a device for an exported file.
        DataError: what cannot be read as image or video.
    """
    context = open_context(console, offline)
    opened = open_anything(
        context,
        read_path(model),
        read_statement(network, imgsz),
        prefer_artifact=True,
        device=device,
    )
    if opened.artifact is not None and device not in (None, "cpu", "auto"):
        raise UsageError(
            "an exported file runs on its runtime, not on a device",
            where="--device",
            fix="leave --device out, or name the checkpoint",
        )
    target = open_for_evaluation(
        context.registry, opened, runtime=runtime, threshold=choose_threshold(opened, threshold)
    )
    place = Path(source)
    drawings = None if out is None else _Drawings(Path(out), place)
    results = []
    for name, image in _images(place, every, target.preprocess.pad_value):
        found = find(target, image)
        drawn = None if drawings is None else drawings.write(name, image, found, target)
        results.append(Prediction(name, found, summarize(target, found), drawn))
        on_image(results[-1])
    return Predictions(target.identity, tuple(results))


def choose_threshold(model: OpenModel, threshold: float | None) -> float | None:
    """As given; else what the task shows to people, or None for the stored operating point."""
    if threshold is not None or model.task == TENSORS:
        return threshold
    return task_info(model.task).shown_threshold


class _Drawings:
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

    def write(
        self, name: str, image: np.ndarray, found: list[dict[str, Any]], model: EvaluationTarget
    ) -> Path:
        """Draws into a copy of the image (bgr) and writes it; returns the file."""
        path = self._choose(name)
        done, data = cv2.imencode(".png", draw(model, image, found))
        assert done
        with replacing_file(path) as f:
            f.write(data.tobytes())
        return path

    def _choose(self, name: str) -> Path:
        """``a.png`` of ``a.jpg``; of a second image of that stem, ``a.bmp.png``. Names differ in more
        than case, for disks that do not tell it."""
        stem = Path(name).stem
        chosen = stem if stem.lower() not in self._used else name
        while chosen.lower() in self._used:
            chosen += "_"
        self._used.add(chosen.lower())
        return self._out / f"{chosen}.png"


def _images(source: Path, every: int, background: int) -> Iterator[tuple[str, np.ndarray]]:
    """(name, bgr pixels); transparent ones are laid over ``background``, as in training.

    Raises DataError for what cannot be read.
    """
    if source.is_dir():
        files = sorted(p for p in source.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise DataError("no images in the directory", where=str(source))
        for file in files:
            yield file.name, decode(file, background=background)
    elif source.suffix.lower() in IMAGE_SUFFIXES or not source.exists():
        yield source.name, decode(source, background=background)
    else:
        yield from _frames(source, every)


def _frames(source: Path, every: int) -> Iterator[tuple[str, Any]]:
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
