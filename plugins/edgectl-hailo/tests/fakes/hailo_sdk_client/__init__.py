"""A stand-in for Hailo's Dataflow Compiler that is as strict as its documentation.

It keeps the state machine, argument names, model script grammar and array layouts; the network it computes
with ONNX Runtime. Its outputs come in another order than they were asked for, as the real one's may.
"""

from __future__ import annotations

import base64
import json
import struct
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from hailo_sdk_client.alls import ScriptError, parse_script

__all__ = ["ClientRunner", "InferenceContext", "InvalidStateException", "ScriptError", "States"]

ARCHITECTURES = {"hailo8", "hailo8l", "hailo8r", "hailo15h", "hailo15m", "hailo15l", "hailo10h"}


class InvalidStateException(Exception):  # noqa: N818
    pass


class ParsingWithRecommendationException(Exception):  # noqa: N818
    pass


class States(Enum):
    UNINITIALIZED = "uninitialized"
    HAILO_MODEL = "hailo_model"
    FP_OPTIMIZED_MODEL = "fp_optimized_model"
    QUANTIZED_MODEL = "quantized_model"
    COMPILED_MODEL = "compiled_model"


_ORDER = list(States)


class InferenceContext(Enum):
    SDK_NATIVE = auto()
    SDK_FP_OPTIMIZED = auto()
    SDK_QUANTIZED = auto()
    SDK_HAILO_HW = auto()


_LEAST = {
    InferenceContext.SDK_NATIVE: States.HAILO_MODEL,
    InferenceContext.SDK_FP_OPTIMIZED: States.FP_OPTIMIZED_MODEL,
    InferenceContext.SDK_QUANTIZED: States.QUANTIZED_MODEL,
}


class ClientRunner:
    def __init__(self, hw_arch=None, har=None):
        self._state = States.UNINITIALIZED
        self._script = []
        if har is not None:
            stored = json.loads(Path(har).read_text())
            self._state = States(stored["state"])
            self._onnx = base64.b64decode(stored["onnx"])
            self._arch, self._hn = stored["arch"], stored["hn"]
            self._script = [tuple(c) for c in stored["script"]]
        else:
            if hw_arch not in ARCHITECTURES:
                raise ValueError(f"hw_arch {hw_arch} is not supported")
            self._arch = hw_arch

    def _need(self, least, exactly=()):
        wrong = self._state not in exactly if exactly else _rank(self._state) < _rank(least)
        if wrong:
            raise InvalidStateException(f"the runner is in state {self._state.value}")

    def translate_onnx_model(
        self,
        model=None,
        net_name="model",
        start_node_names=None,
        end_node_names=None,
        net_input_shapes=None,
    ):
        self._need(None, exactly=[States.UNINITIALIZED])
        loaded = onnx.load(model)
        graph = loaded.graph
        (entry,) = graph.input
        shape = [d.dim_value for d in entry.type.tensor_type.shape.dim]
        if start_node_names != [entry.name] or net_input_shapes != {entry.name: shape}:
            raise ParsingWithRecommendationException(f"the input is {entry.name} {shape}")
        nodes = {n.name: n for n in graph.node}
        unknown = [n for n in end_node_names if n not in nodes]
        if unknown:
            raise ParsingWithRecommendationException(f"Unable to find end node names: {unknown}")
        if loaded.opset_import[0].version not in range(8, 18):
            raise ParsingWithRecommendationException("opset")
        if any(nodes[n].op_type in ("Flatten", "Reshape") for n in end_node_names):
            raise ParsingWithRecommendationException("ends in a reshape")
        ends = list(reversed(end_node_names))
        del graph.output[:]
        del graph.value_info[:]
        graph.output.extend(onnx.ValueInfoProto(name=nodes[n].output[0]) for n in ends)
        self._onnx = onnx.shape_inference.infer_shapes(loaded).SerializeToString()
        names = {n: f"{net_name}/layer{i}" for i, n in enumerate(nodes)}
        self._hn = {
            "name": net_name,
            "net_params": {"output_layers_order": [names[n] for n in ends]},
            "layers": {names[n]: {"original_names": [n]} for n in nodes},
        }
        self._state = States.HAILO_MODEL
        return self._hn, {}

    def get_hn_dict(self):
        self._need(States.HAILO_MODEL)
        return self._hn

    def save_har(self, har_path):
        self._need(States.HAILO_MODEL)
        document = {
            "state": self._state.value,
            "onnx": base64.b64encode(self._onnx).decode(),
            "arch": self._arch,
            "hn": self._hn,
            "script": self._script,
        }
        Path(har_path).write_text(json.dumps(document))

    def load_model_script(self, model_script):
        self._need(States.HAILO_MODEL)
        is_path = str(model_script).endswith(".alls")
        text = Path(model_script).read_text() if is_path else model_script
        layers = {name.split("/")[-1] for name in self._hn["layers"]}
        self._script = parse_script(text, layers)

    def optimize(self, calib_data, data_type=None, work_dir=None):
        self._need(None, exactly=[States.HAILO_MODEL, States.FP_OPTIMIZED_MODEL])
        _, channels, rows, columns = self._input_shape()
        if not isinstance(calib_data, np.ndarray) or calib_data.shape[1:] != (
            rows,
            columns,
            channels,
        ):
            raise ValueError(f"calibration data must be NHWC, (n, {rows}, {columns}, {channels})")
        if calib_data.dtype.kind not in "uf":
            raise ValueError("calibration data must be uint8 or float")
        for name, _, keywords in self._script:
            wanted = max(keywords.get(k, 0) for k in ("calibset_size", "dataset_size"))
            if wanted > len(calib_data):
                raise ValueError(f"{name} wants {wanted} of {len(calib_data)} images")
            level = keywords.get("optimization_level", 0)
            if level >= 2 and len(calib_data) < 1024:
                raise AssertionError("the level would have been lowered without a word")
        self._state = States.QUANTIZED_MODEL

    def compile(self):
        self._need(None, exactly=[States.QUANTIZED_MODEL])
        self._state = States.COMPILED_MODEL
        body = json.dumps(
            {
                "arch": self._arch,
                "onnx": base64.b64encode(self._onnx).decode(),
                "script": self._script,
                "hn": self._hn,
            }
        ).encode()
        return struct.pack(">III", 0x01484546, 2, len(body)) + body

    @contextmanager
    def infer_context(self, inference_context, gpu_policy=None):
        self._need(_LEAST[inference_context])
        yield inference_context

    def infer(self, context, dataset, batch_size=8):
        x = np.asarray(dataset)
        _, channels, rows, columns = self._input_shape()
        if x.ndim != 4 or x.shape[1:] != (rows, columns, channels):
            raise ValueError(f"data must be NHWC, got {x.shape}")
        x = x.astype(np.float32)
        if context is not InferenceContext.SDK_NATIVE:
            x = modified(x, self._script)
        arrays = compute(self._onnx, x)
        if context is InferenceContext.SDK_QUANTIZED:
            arrays = [eight_bits(a) for a in arrays]
        return arrays[0] if len(arrays) == 1 else arrays

    def _input_shape(self):
        (entry,) = onnx.load_from_string(self._onnx).graph.input
        return [d.dim_value for d in entry.type.tensor_type.shape.dim]


def _rank(state):
    return _ORDER.index(state)


def modified(x, script):
    """Input layers of the model script: the last command's stands first."""
    for name, positional, _ in reversed(script):
        if name == "input_conversion":
            assert positional[-1] == "bgr_to_rgb"
            x = x[..., ::-1]
        if name == "normalization":
            mean, std = (np.float32(v) for v in positional[:2])
            x = (x - mean) / std
    return x


def compute(model, x):
    """float32 NHWC to the outputs, NHWC."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    rows = [
        session.run(None, {entry.name: np.ascontiguousarray(p.transpose(2, 0, 1)[None])}) for p in x
    ]
    arrays = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    return [a.transpose(0, 2, 3, 1) if a.ndim == 4 else a for a in arrays]


def eight_bits(a):
    """256 levels over the range."""
    scale = max(float(a.max() - a.min()), 1e-9) / 255
    return (np.round(a / scale) * scale).astype(np.float32)
