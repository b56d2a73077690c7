"""Networks that are Python: ``module:function``, ``timm:NAME``, ``torchvision:NAME``, and exported programs.

Code is imported only because the user named it. Weights are read as plain tensors; a file never runs code.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import pickle
import re
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgectl.backends.onnx_file import write_onnx
from edgectl.errors import ArtifactError, DependencyError, UnsupportedOpError, UsageError
from edgectl.nn.state import abridge_names, read_state
from edgectl.nn.vision import vision
from edgectl.quant.graph.module import GraphModule
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace, trace_program
from edgectl.sources.metadata import Metadata, read_timm, read_torchvision
from edgectl.sources.onnx_source import read_onnx_file
from edgectl.sources.options import Statement
from edgectl.sources.reading import ReadNetwork
from edgectl.spec import OutputSpec, PreprocessSpec, Size

_LIBRARIES = ("timm", "torchvision")
_SQUASHES = ("softmax", "sigmoid")
_OPSET = 17
_NAMED = 3
_CODE = re.compile(r"(?P<module>[\w./\\-]+):(?P<name>\w+)")


def is_python(word: str) -> bool:
    """Whether MODEL is ``module:function`` or names a network of a library."""
    match = _CODE.fullmatch(word)
    return match is not None and match["module"] != "zoo" and len(match["module"]) > 1


class Flat(nn.Module):
    """A network whose outputs are a tuple, whatever it returns."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, C, H, W) to all tensors the network returns, dictionaries in their own order."""
        return tuple(_flatten(self.network(x)))


class OneByOne(nn.Module):
    """A network that was exported with a batch of one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(N, C, H, W) to all tensors the network returns."""
        rows = [_flatten(self.network(x[i : i + 1])) for i in range(len(x))]
        return tuple(torch.cat(parts) for parts in zip(*rows, strict=True))


def _flatten(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, list | tuple) or hasattr(value, "__iter__"):
        return [t for v in value for t in _flatten(v)]
    return []


def read_python(
    word: str, said: Statement, note: Callable[[str], None], *, weights_needed: bool = True
) -> ReadNetwork:
    """Builds the network ``word`` names, loads its weights, and reads it.

    Raises:
        UsageError: no such module, function or network; no size; no weights.
        ArtifactError: weights that do not fit.
        UnsupportedOpError: it cannot be translated, by way of ONNX neither.
    """
    library, _, name = word.partition(":")
    state = None if said.weights is None else read_state(_require_file(said.weights))
    metadata, size = Metadata(), said.input_size
    if library in _LIBRARIES:
        if state is None and weights_needed:
            raise UsageError(
                "a network without weights",
                where=word,
                fix="--weights FILE, a state dict of tensors",
            )
        model, metadata, own_size = _BUILDERS[library](name, state)
        size = size or own_size
        file = said.weights
    else:
        model, file = build_from_code(library, name)
        file = said.weights or file
    if size is None:
        raise UsageError("of which input size?", where=word, fix="name it: --imgsz HEIGHT WIDTH")
    if state is not None:
        load_strictly(model, state, said.weights)
    network = _read_module(Flat(model.eval()), word, file or Path(__file__), said, size, note)
    return replace(network, metadata=metadata)


def _require_file(path: Path) -> Path:
    if not path.is_file():
        raise ArtifactError("no such weights file", where=str(path), fix="--weights FILE")
    return path


def build_from_code(module: str, name: str) -> tuple[nn.Module, Path | None]:
    """Imports a file or an installed package, calls what it names, and returns the network and the file.

    Raises UsageError for what is not there or is no network, and for whatever the code raises.
    """
    where = f"{module}:{name}"
    path = Path(module if module.endswith(".py") else "/".join(module.split(".")) + ".py")
    try:
        found = _import_file(path) if path.is_file() else importlib.import_module(module)
        made = getattr(found, name)
        if not isinstance(made, nn.Module):
            made = made()
    except (ImportError, AttributeError) as e:
        raise UsageError(
            str(e),
            where=where,
            fix="FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION, without arguments",
        ) from e
    except Exception as e:  # the user's own code raises what it likes
        reason = " ".join(f"{type(e).__name__}: {e}".split())
        raise UsageError(f"the code that was named failed: {reason}", where=where) from e
    if not isinstance(made, nn.Module):
        raise UsageError(f"returns a {type(made).__name__}, not a torch.nn.Module", where=where)
    source = getattr(found, "__file__", None)
    return made, None if source is None else Path(source)


def _import_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    directory = str(path.resolve().parent)
    sys.path.insert(0, directory)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(directory)
    return module


def _build_timm(
    name: str, state: dict[str, Tensor] | None
) -> tuple[nn.Module, Metadata, Size | None]:
    vision()  # timm imports torchvision, which may have to be loaded with care
    try:
        import timm
    except ImportError as e:
        raise DependencyError("timm is not installed", fix="pip install 'edgectl[timm]'") from e
    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None:
        near = timm.list_models(f"*{name.split('_')[0]}*")[:_NAMED]
        raise UsageError(f"timm has no '{name}'", where="timm", fix=", ".join(near) or None)
    options: dict[str, Any] = {}
    head = config.classifier if isinstance(config.classifier, str) else None
    if state is not None and head is not None and f"{head}.weight" in state:
        options["num_classes"] = state[f"{head}.weight"].shape[0]
    model = timm.create_model(name, pretrained=False, exportable=True, **options)
    facts: dict[str, Any] = dataclasses.asdict(config)
    size = facts.get("input_size") or (3, 224, 224)
    return model, read_timm(facts), (int(size[1]), int(size[2]))


def _build_torchvision(
    name: str, state: dict[str, Tensor] | None
) -> tuple[nn.Module, Metadata, Size | None]:
    models: Any = vision("models")
    if name not in models.list_models():
        near = [n for n in models.list_models() if name.split("_")[0] in n][:_NAMED]
        raise UsageError(
            f"torchvision has no '{name}'", where="torchvision", fix=", ".join(near) or None
        )
    options: dict[str, Any] = {"weights": None}
    if state is not None:
        last = [v for v in state.values() if v.dim() in (2, 4)][-1]
        options["num_classes"] = last.shape[0]
    try:
        model = models.get_model(name, weights_backbone=None, **options)
    except (TypeError, ValueError):
        model = models.get_model(name, **options)
    best = models.get_model_weights(name)
    transforms = best.DEFAULT.transforms() if len(best) else None
    sides = getattr(transforms, "crop_size", None) or getattr(transforms, "resize_size", None)
    size = (int(sides[0]), int(sides[-1])) if isinstance(sides, list | tuple) and sides else None
    return model, read_torchvision(transforms), size


_BUILDERS: dict[str, Callable[..., tuple[nn.Module, Metadata, Size | None]]] = {
    "timm": _build_timm,
    "torchvision": _build_torchvision,
}


def load_strictly(model: nn.Module, state: dict[str, Tensor], path: Path | None) -> None:
    """Every tensor, or an error that names those that do not fit."""
    own = model.state_dict()
    state = {k.removeprefix("module."): v for k, v in state.items()}
    wrong = [
        *(k for k in own if k not in state and not k.endswith("num_batches_tracked")),
        *(k for k, v in state.items() if k not in own or own[k].shape != v.shape),
    ]
    if wrong:
        raise ArtifactError(
            f"tensors of another network: {abridge_names(wrong, _NAMED)}",
            where=str(path),
            fix="the weights of this very network, as a state dict",
        )
    model.load_state_dict({**own, **state})


def _read_module(
    model: nn.Module,
    name: str,
    path: Path,
    said: Statement,
    size: Size,
    note: Callable[[str], None],
) -> ReadNetwork:
    """Traced; where it cannot be, by way of ONNX, which can cut off what is behind the heads."""
    short = name.rpartition(":")[2]
    # a module does not say how many channels it takes
    spec = PreprocessSpec(size)
    if said.channel_order == "gray":
        spec = spec.to_gray()
    try:
        return read_graph(trace(model, size, spec.channels), model, path, short)
    except UnsupportedOpError as e:
        note(f"not traced ({e.where}: {e.message}): taken by way of ONNX, which cuts there")
        with torch.no_grad():
            count = len(model(torch.zeros(1, spec.channels, *size)))
        specs = [OutputSpec(f"output{i}", "tensor", 0, 1) for i in range(count)]
        with tempfile.TemporaryDirectory() as place:
            file = Path(place, "network.onnx")
            write_onnx(model, spec, specs, file, opset=_OPSET)
            return read_onnx_file(file, replace(said, input_size=size), name=short, file=path)


def read_graph(graph: QuantGraph, model: nn.Module, path: Path, name: str) -> ReadNetwork:
    """A traced network. Where it ends in a softmax or sigmoid, its raw heads are what is before."""
    heads = [graph[o].inputs[0] if graph[o].op in _SQUASHES else o for o in graph.outputs]
    raw = list(dict.fromkeys(heads))
    if raw != list(graph.outputs):
        kept = _needed(graph, raw)
        graph = QuantGraph([n for n in graph if n.name in kept], raw)
        model = GraphModule(graph).eval()
    return ReadNetwork(
        path=path,
        name=name,
        graph=graph,
        heads=tuple(graph.outputs),
        model=model,
        run=lambda x: list(model(x)),
        tail=None,
        metadata=Metadata(),
    )


def _needed(graph: QuantGraph, names: list[str]) -> set[str]:
    needed = set(names)
    for node in reversed(list(graph)):
        if node.name in needed:
            needed.update(node.inputs)
    return needed | {graph.input.name}


def read_program(path: Path, said: Statement) -> ReadNetwork:
    """A ``torch.export`` program (``.pt2``).

    Raises:
        ArtifactError: not one, or one that holds Python objects.
        UsageError: it was exported at another size.
        UnsupportedOpError: an operation outside the op set.
    """
    _require_plain(path)
    try:
        program = torch.export.load(path)
    except Exception as e:  # the loader raises what it likes on damaged files
        first = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise ArtifactError(
            f"not a program of torch.export: {first[:200]}",
            where=str(path),
            fix="torch.export.save(torch.export.export(model, (torch.zeros(1, 3, H, W),)), FILE)",
        ) from e
    graph = trace_program(program)
    own = (graph.input.shape[2], graph.input.shape[3])
    if said.input_size not in (None, own):
        raise UsageError(
            f"was exported at {own[0]}x{own[1]}", where="--imgsz", fix="export it at that size"
        )
    return read_graph(graph, OneByOne(program.module()), path, path.stem)


def _require_plain(path: Path) -> None:
    """Raises ArtifactError for archives with anything in them that could run code when it is read."""
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                data = archive.read(info)
                if data[:2] == b"PK" or (data[:1] == b"\x80" and data[-1:] == b"."):
                    torch.load(BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as e:
        raise refuse_code(path) from e
    except (OSError, zipfile.BadZipFile, EOFError, ValueError) as e:
        raise ArtifactError(f"not a program of torch.export: {e}", where=str(path)) from e


def is_torchscript(path: Path) -> bool:
    """Whether an archive holds TorchScript's code."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def refuse_code(path: Path) -> ArtifactError:
    """The error for files that are more than tensors, with the way out."""
    return ArtifactError(
        "holds Python objects or TorchScript, which could run code; refused",
        where=str(path),
        fix="torch.onnx.export(model, torch.zeros(1, 3, H, W), 'model.onnx'), or "
        "MODULE:FUNCTION --weights FILE",
    )
