"""Opens an ONNX file: checked, of one image input, static and simplified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edgectl.errors import ArtifactError, DependencyError, UnsupportedOpError, UsageError
from edgectl.spec import Size

if TYPE_CHECKING:
    import onnx

_LARGEST_BYTES = 1 << 30


def load_onnx(path: Path) -> onnx.ModelProto:
    """A checked model, weights included. Raises DependencyError, ArtifactError."""
    try:
        import onnx
    except ImportError as e:
        raise DependencyError(
            f"reading ONNX needs {e.name}, which is not installed",
            fix="pip install 'edgectl[onnx]'",
        ) from e
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise ArtifactError("larger than 1 GiB", where=str(path), fix="export a smaller model")
        model = onnx.load(str(path), load_external_data=False)
        if any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer):
            raise ArtifactError(
                "keeps its weights in other files",
                where=str(path),
                fix="save it as one file: onnx.save(onnx.load(FILE), OTHER)",
            )
        onnx.checker.check_model(model)
    except ArtifactError:
        raise
    except OSError as e:
        raise ArtifactError(f"cannot be read: {e.strerror}", where=str(path)) from e
    except Exception as e:  # protobuf and the checker raise what they like on damaged files
        first = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise ArtifactError(
            f"not a valid ONNX file: {first[:200]}", where=str(path), fix="export the file again"
        ) from e
    return model


def find_input(
    model: onnx.ModelProto, path: Path, size: Size | None
) -> tuple[str, bool, list[int]]:
    """(name, channels last, static shape) of the one image input. Raises UsageError, UnsupportedOpError."""
    constants = {t.name for t in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in constants]
    if len(inputs) != 1:
        raise UnsupportedOpError(
            f"{len(inputs)} inputs", where=str(path), fix="a network takes one image; export it so"
        )
    dims = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim]
    if len(dims) != 4:
        raise UnsupportedOpError(
            f"an input of {len(dims)} dimensions",
            where=str(path),
            fix="a network takes (N, C, H, W)",
        )
    last = dims[3] in (1, 3) and dims[1] not in (1, 3)
    channels = dims[3] if last else dims[1] or 3
    own = (dims[1], dims[2]) if last else (dims[2], dims[3])
    if size is None and not all(own):
        raise UsageError(
            "leaves its input size open", where=str(path), fix="name it: --imgsz HEIGHT WIDTH"
        )
    chosen = own if size is None else size
    if any(o and o != c for o, c in zip(own, chosen, strict=True)):
        raise UsageError(
            f"takes {own[0]}x{own[1]}, not {chosen[0]}x{chosen[1]}",
            where=str(path),
            fix="leave --imgsz out, or export the model at that size",
        )
    return inputs[0].name, last, [1, *chosen, channels] if last else [1, channels, *chosen]


def make_static(
    model: onnx.ModelProto, entry: str, shape: list[int], path: Path
) -> onnx.ModelProto:
    """Fixes the input's shape, computes what is constant and every shape (onnxsim). Raises ArtifactError."""
    import onnx
    import onnxsim

    try:
        simple, same = onnxsim.simplify(model, overwrite_input_shapes={entry: shape})
        inferred = onnx.shape_inference.infer_shapes(simple, data_prop=True)
    except Exception as e:  # the simplifier's errors have no class of their own
        first = str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__
        raise ArtifactError(
            f"cannot be simplified: {first[:200]}", where=str(path), fix="export the file again"
        ) from e
    if not same:
        raise ArtifactError("simplifying changed what it computes", where=str(path))
    return inferred
