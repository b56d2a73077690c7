"""A stand-in for HailoRT's Python package: runs the stand-in compiler's HEF on ONNX Runtime.

Outputs are 8-bit inside and come de-quantized where FLOAT32 is asked for, else as they are.
"""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
from hailo_sdk_client import compute, eight_bits, modified


class FormatType(Enum):
    AUTO = auto()
    UINT8 = auto()
    UINT16 = auto()
    FLOAT32 = auto()


class HEF:
    def __init__(self, path):
        self._document = json.loads(Path(path).read_bytes()[12:])
        self._onnx = base64.b64decode(self._document["onnx"])
        graph = onnx.load_from_string(self._onnx).graph
        self.shapes = {}
        for layer, output in zip(self._layers, graph.output, strict=True):
            shape = [d.dim_value for d in output.type.tensor_type.shape.dim]
            self.shapes[layer] = (*shape[2:], shape[1])

    @property
    def _layers(self):
        return self._document["hn"]["net_params"]["output_layers_order"]

    def get_output_vstream_infos(self):
        return [SimpleNamespace(name=n, shape=s) for n, s in self.shapes.items()]

    def get_original_names_from_vstream_name(self, name):
        return self._document["hn"]["layers"][name]["original_names"]

    def run(self, image):
        x = modified(image[None].astype(np.float32), self._document["script"])
        return dict(zip(self._layers, compute(self._onnx, x), strict=True))


class VDevice:
    taken = False

    def __init__(self):
        if VDevice.taken:
            raise RuntimeError("HAILO_OUT_OF_PHYSICAL_DEVICES")
        VDevice.taken = True

    def create_infer_model(self, path):
        return InferModel(HEF(path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        VDevice.taken = False


class Stream:
    def __init__(self, shape=None):
        self.shape, self.format, self.buffer = shape, FormatType.AUTO, None

    def set_format_type(self, format_type):
        self.format = format_type

    def set_buffer(self, buffer):
        assert buffer.flags["C_CONTIGUOUS"]
        self.buffer = buffer

    def get_buffer(self):
        return self.buffer


class InferModel:
    def __init__(self, hef):
        self._hef = hef
        self._input = Stream()
        self._outputs = {n: Stream(s) for n, s in hef.shapes.items()}

    def input(self):
        return self._input

    def output(self, name):
        return self._outputs[name]

    @contextmanager
    def configure(self):
        yield Configured(self._hef, self._input, self._outputs)


class Configured:
    def __init__(self, hef, entry, outputs):
        self._hef, self._input, self._outputs = hef, entry, outputs

    def create_bindings(self, output_buffers):
        streams = {name: Stream() for name in output_buffers}
        for name, buffer in output_buffers.items():
            assert self._outputs[name].format is FormatType.FLOAT32
            assert buffer.dtype == np.float32, "HAILO_INVALID_OPERATION: buffer size"
            streams[name].set_buffer(buffer)
        entry = Stream()
        return SimpleNamespace(input=lambda: entry, output=streams.__getitem__)

    def run(self, bindings, timeout):
        (binding,) = bindings
        image = binding.input().get_buffer()
        assert image.dtype == np.uint8
        for name, array in self._hef.run(image).items():
            buffer = binding.output(name).get_buffer()
            np.copyto(buffer, eight_bits(array)[0].reshape(buffer.shape))
