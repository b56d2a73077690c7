"""A network that is no checkpoint of edgectl's, by the word that names it, as a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from edgectl.config.schema import RunConfig
from edgectl.data.select.calibration import CalibrationSet
from edgectl.errors import ArtifactError, UsageError
from edgectl.nn.state import read_state
from edgectl.plugins.registry import Registry
from edgectl.runs.checkpoint import is_checkpoint
from edgectl.sources.family_weights import open_family_weights
from edgectl.sources.modules import (
    is_python,
    is_torchscript,
    read_program,
    read_python,
    refuse_code,
)
from edgectl.sources.onnx_source import read_onnx_file
from edgectl.sources.options import Statement, read_names, read_numbers
from edgectl.sources.reading import ReadNetwork, make_source
from edgectl.sources.source import Source
from edgectl.workflows.arguments import PathLike, SizeLike, read_size
from edgectl.workflows.opening.families import check_size, open_family
from edgectl.workflows.training.plan import plan_new_run

_ONNX, _PROGRAM = ".onnx", ".pt2"
_WEIGHTS = (".pth", ".pt")
_ELSEWHERE = {
    ".safetensors": "convert it: torch.save(safetensors.torch.load_file(FILE), 'weights.pth')",
    ".h5": "save it as TFLite or ONNX (tf2onnx)",
    ".keras": "save it as TFLite or ONNX (tf2onnx)",
    ".pb": "save it as TFLite or ONNX (tf2onnx)",
    ".mlmodel": "name the network it was converted from",
    ".torchscript": "torch.onnx.export(torch.jit.load(FILE), torch.zeros(1, 3, H, W), 'model.onnx')",
}


class NetworkOptions(TypedDict, total=False):
    """What a network that is not a family's checkpoint may have to be told.

    Each is an option of the command line: ``weights``: a file of tensors for a module. ``family``,
    ``variant``: whose bare weights a file holds. ``mean``, ``std``: of pixels 0..255, one number or three
    (``"123.7,116.3,103.5"``). ``channel_order``: rgb, bgr. ``resize``: letterbox, center, stretch.
    ``interpolation``: auto, bilinear, area, bicubic, nearest. ``decode``: a decode rule. ``outputs``: names
    of the raw heads, with commas. ``classes``: names with commas, or a file with a name a line.
    """

    weights: PathLike | None
    family: str | None
    variant: str | None
    mean: str | None
    std: str | None
    channel_order: str | None
    resize: str | None
    interpolation: str | None
    decode: str | None
    outputs: str | None
    classes: str | None


def read_statement(options: NetworkOptions, imgsz: SizeLike | None = None) -> Statement:
    """Raises UsageError for values that make no sense."""

    def text(name: str) -> str:
        return str(options.get(name) or "")

    return Statement(
        weights=Path(text("weights")) if text("weights") else None,
        family=text("family"),
        variant=text("variant"),
        input_size=None if imgsz is None else read_size(imgsz),
        mean=read_numbers(text("mean"), "--mean") if text("mean") else None,
        std=read_numbers(text("std"), "--std") if text("std") else None,
        channel_order=text("channel_order"),
        resize=text("resize"),
        interpolation=text("interpolation"),
        decode=text("decode"),
        outputs=tuple(n for n in text("outputs").split(",") if n),
        classes=read_names(text("classes")) if text("classes") else (),
    )


def is_network(model: Path | None) -> bool:
    """Whether MODEL names a network that is neither a run, a checkpoint nor an artifact."""
    if model is None:
        return False
    if not model.exists():
        return is_python(str(model))
    if not model.is_file():
        return False
    beside = (model.parent / "manifest.json").is_file()
    if model.suffix in (_ONNX, _PROGRAM):
        return not beside
    if model.suffix in _WEIGHTS:
        return is_torchscript(model) or not (is_checkpoint(model) or _is_of_qat(model))
    return model.suffix in _ELSEWHERE


def _is_of_qat(path: Path) -> bool:
    """Checkpoints of QAT and of other versions have errors of their own."""
    return path.suffix == ".pt" and path.parent.name == "checkpoints"


@dataclass(frozen=True)
class NetworkReader:
    """The ways in. ``weights_needed``: whether random numbers will not do."""

    registry: Registry
    note: Callable[[str], None] = lambda _: None
    weights_needed: bool = True

    def read(self, model: Path, said: Statement) -> ReadNetwork:
        """A network that is no family's.

        Raises:
            UsageError, ArtifactError, UnsupportedOpError, DependencyError: each with the way out.
        """
        if is_python(str(model)) and not model.exists():
            return read_python(str(model), said, self.note, weights_needed=self.weights_needed)
        if model.suffix == _ONNX:
            return read_onnx_file(model, said)
        if model.suffix == _PROGRAM:
            return read_program(model, said)
        if model.suffix in _ELSEWHERE:
            raise UsageError(
                f"{model.suffix} files are not read", where=str(model), fix=_ELSEWHERE[model.suffix]
            )
        raise self._explain_weights(model)

    def open(
        self,
        model: Path,
        said: Statement,
        config: RunConfig,
        *,
        assignments: Sequence[str] = (),
        data_classes: tuple[str, ...] = (),
        images: CalibrationSet | None = None,
    ) -> Source:
        """A network with everything that was said of it.

        Raises:
            UsageError: something that nobody said. What :meth:`read` raises.
        """
        if model.suffix in _WEIGHTS and said.family:
            return self._open_weights(model, said, assignments, data_classes)
        return make_source(
            self.read(model, said),
            said,
            config,
            data_classes=data_classes,
            images=images,
        )

    def _open_weights(
        self, path: Path, said: Statement, assignments: Sequence[str], data: tuple[str, ...]
    ) -> Source:
        family = open_family(self.registry, said.family)
        variant = family.variant(said.variant)
        size = said.input_size or variant.default_input_size
        check_size(size, variant)
        flags = {"variant": variant.name, "input_size": list(size)}
        plan = plan_new_run(family, flags, list(assignments))
        return open_family_weights(
            path,
            family.info,
            family.family,
            variant,
            plan.config,
            said,
            size=size,
            data_classes=data,
        )

    def _explain_weights(self, path: Path) -> Exception:
        """A .pth of tensors, or one that holds more than tensors."""
        if is_torchscript(path):
            return refuse_code(path)
        try:
            read_state(path)
        except ArtifactError as e:
            return refuse_code(path) if "code" in e.message else e
        families = ", ".join(self.registry.families.names())
        return UsageError(
            "a file of weights alone does not say what network they belong to",
            where=str(path),
            fix=f"--family one of {families}, with --variant and --imgsz; or name the network: "
            f"MODULE:FUNCTION --weights {path.name}",
        )
