"""What plugins hand to their hooks: descriptions of families, tasks, backends, data sets, boards, ...

Frozen and light: the code an entry names is imported when it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edgectl.plugins.board import BoardInfo as BoardInfo
from edgectl.spec import Size

PluginKind = Literal["family", "backend", "dataset"]


@dataclass(frozen=True)
class WeightsSource:
    """Where pretrained weights come from: a file name searched in ``$EDGECTL_WEIGHTS`` and the
    user cache, then ``url`` (never with ``--offline``).

    ``mean``/``std`` (0..255 units, rgb) is the normalization the weights were trained with,
    ``channel_order`` the order of the channels they expect.
    """

    filename: str
    url: str | None
    licence: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channel_order: Literal["rgb", "bgr"] = "rgb"


@dataclass(frozen=True)
class VariantInfo:
    """One named size of a family. ``output_stride`` is the multiple the input size must have."""

    name: str
    summary: str
    output_stride: int
    default_input_size: Size
    weights: WeightsSource | None = None


@dataclass(frozen=True)
class FamilyInfo:
    """What ``edgectl_register_families`` returns. Light: the code is imported when it is used.

    Attributes:
        task: name of a registered task.
        entry: ``module:Class`` of a :class:`edgectl.plugins.family.Family`, imported on first use.
        api: plugin API range this plugin was written for, inclusive.
    """

    name: str
    task: str
    summary: str
    entry: str
    variants: tuple[VariantInfo, ...]
    default_variant: str
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class TaskInfo:
    """What families can be trained for (``edgectl_register_tasks``). Light, as FamilyInfo.

    Attributes:
        summary: what is found in an image, for people.
        entry: ``module:Class`` of a :class:`edgectl.tasks.contract.Task`, imported on first use.
        main_metric: the metric that decides on checkpoints, gates and comparisons; larger is better.
        labels: what it learns from: ``boxes``; ``image``, a class for the whole image; ``own``, what the
            task's own code reads from samples.
        decoder: the decoding program of boards: ``classes``, ``cells``, ``boxes``, or the task's own.
        heads: the kinds of raw heads that program reads.
        operating_point: the score threshold is chosen on held-back images and ships with the checkpoint.
        shown_threshold: score from which results are shown to people where no operating point was chosen;
            None shows all.
        empty_images: whether an image may hold nothing to find.
        most_shown: a board prints so many results an image; None prints all.
    """

    name: str
    summary: str
    entry: str
    main_metric: str
    labels: Literal["boxes", "image", "own"]
    decoder: str
    heads: tuple[str, ...]
    operating_point: bool = False
    shown_threshold: float | None = None
    empty_images: bool = True
    most_shown: int | None = None
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class DecoderInfo:
    """A rule for raw heads of networks that are no family's (``edgectl_register_decoders``): what
    ``--decode`` may name.

    Attributes:
        summary: which heads it reads, for people.
        task: name of the registered task their results belong to.
        entry: ``module:Class`` of a :class:`edgectl.tasks.decoders.Decoder`, imported when it is named.
    """

    name: str
    summary: str
    task: str
    entry: str
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class ToolInfo:
    """A vendor's compiler. It runs as a process of its own, in an environment of its own.

    Attributes:
        name: of its ``[tools.NAME]`` table and of its directory under the user's tools.
        command: the program, searched on PATH. Empty: Python, which then must have ``module``.
        module: what that Python must be able to import, for example ``rknn``.
        distribution: whose version is reported and recorded.
        requirements: what ``edgectl tools setup NAME`` installs. Empty where the vendor hands the
            compiler out behind a login.
        bare: installed after them without looking at what they ask for: compilers whose own pins
            cannot be met together.
        fix: how to get it, where ``tools setup`` cannot.
    """

    name: str
    command: str = ""
    module: str = ""
    distribution: str = ""
    requirements: tuple[str, ...] = ()
    bare: tuple[str, ...] = ()
    fix: str = ""


@dataclass(frozen=True)
class BackendInfo:
    """What ``edgectl_register_backends`` returns. ``entry`` is a :class:`edgectl.backends.contract.Backend`.

    ``precisions``: what it writes; ``runtimes``: what ``eval --runtime`` accepts; the default first.
    ``exact``: those runtimes that must agree bit for bit on an int8 file; export proves it.
    ``input``: what its graphs take. ``unit``: pixel / 255, the rest of the PreprocessSpec folded into
    the first layer; ``normalized``: (pixel - mean) / std, which the device's runtime computes itself.
    ``suffix``: of its model files, where files of other programs can be profiled and timed too.
    ``takes``: ``graph``: edgectl quantizes the traced graph, ``entry`` is a Backend and writes it.
    ``network``: ``entry`` is a :class:`edgectl.backends.contract.VendorBackend`, which takes
    the float network as ONNX; quantizing is left to the compiler ``tool``.
    """

    name: str
    summary: str
    entry: str
    precisions: tuple[str, ...]
    runtimes: tuple[str, ...]
    exact: tuple[str, ...] = ()
    qat: bool = False
    input: Literal["unit", "normalized"] = "unit"
    suffix: str = ""
    takes: Literal["graph", "network"] = "graph"
    tool: ToolInfo | None = None
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class DatasetInfo:
    """A named data set of the catalog (``edgectl_register_datasets``).

    Attributes:
        directories: folder names looked for under each data root.
        url: an archive to download, or None.
        generate: ``module:function`` that draws the set: ``f(directory: Path, seed: int) -> None``.
        format: format name, or ``auto``.
    """

    name: str
    summary: str
    licence: str
    directories: tuple[str, ...] = ()
    url: str | None = None
    generate: str | None = None
    format: str = "auto"
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class FormatInfo:
    """A label format (``edgectl_register_formats``).

    Attributes:
        name: as ``--set data.format=`` and ``data convert --to`` spell it.
        reader: ``module:attribute`` of a :class:`edgectl.data.formats.Format`, or of a tuple of them, of
            which the one of this name is meant. Empty where the format is only written.
        writer: the same for a :class:`edgectl.data.formats.writing.Writer`; empty where it is only read.
        fallback: asked last, because it recognizes folders that other formats use too.
    """

    name: str
    reader: str = ""
    writer: str = ""
    fallback: bool = False
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class CheckInfo:
    """A check of data sets (``edgectl_register_checks``).

    ``entry`` is ``module:attribute`` of a :data:`edgectl.data.inspect.checks.Check`, a function from the
    evidence to findings, or of a tuple of them.
    """

    name: str
    summary: str
    entry: str
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class MetricInfo:
    """A metric beside those a task has (``edgectl_register_metrics``). It decides nothing.

    Attributes:
        task: the task whose evaluations report it.
        entry: ``module:Class``, called with (classes, outputs, input_size); the result is a
            :class:`edgectl.metrics.evaluator.Metric`. Its values stand in reports as ``NAME`` where
            ``compute`` returns one under that name, and as ``NAME.KEY`` else.
    """

    name: str
    task: str
    summary: str
    entry: str
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class CallbackInfo:
    """Code that follows training runs (``edgectl_register_callbacks``).

    ``entry`` is ``module:Class`` of a :class:`edgectl.train.progress.Reporter`; a run makes an object of its
    own from it.
    """

    name: str
    summary: str
    entry: str
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class CommandInfo:
    """An additional top-level command (``edgectl_register_commands``); ``entry`` is ``module:typer_app``."""

    name: str
    summary: str
    entry: str
    api: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class DoctorCheck:
    """One line of ``edgectl doctor``."""

    name: str
    status: Literal["ok", "missing", "warning"]
    detail: str
    fix: str = ""
    api: tuple[int, int] = field(default=(1, 1), repr=False)
