"""A stand-in for rknn-toolkit2: its order of calls, its arguments, its noise; computes in float."""

from __future__ import annotations

import os

import cv2
import numpy as np
import onnxruntime

CONFIG = {
    "mean_values",
    "std_values",
    "quant_img_RGB2BGR",
    "quantized_algorithm",
    "optimization_level",
    "target_platform",
    "auto_hybrid_cos_thresh",
}


class RKNN:
    def __init__(self, verbose=True):
        print("I rknn-toolkit2 version: fake")
        self.state = "new"

    def _expect(self, *states):
        if self.state not in states:
            raise ValueError(
                "Traceback (most recent call last):\n  ...\nValueError: %s" % self.state
            )

    def config(self, **settings):
        self._expect("new")
        unknown = set(settings) - CONFIG
        if unknown:
            raise TypeError("config() got an unexpected keyword argument %r" % unknown.pop())
        if os.environ.get("FAKE_RKNN") == "fails":
            return -1
        self.settings, self.state = settings, "configured"
        return 0

    def load_onnx(self, model):
        self._expect("configured")
        if not os.path.isfile(model):
            raise ValueError("Traceback\nValueError: Model file %s not exists!" % model)
        self.session = onnxruntime.InferenceSession(model)
        self.state = "loaded"
        return 0

    def build(self, do_quantization=True, dataset=None, auto_hybrid=False):
        self._expect("loaded")
        if do_quantization:
            with open(dataset) as f:
                images = [cv2.imread(line.strip()) for line in f]
            shape = self.session.get_inputs()[0].shape
            assert images and all(p.shape == (*shape[2:], 3) for p in images)
        self.state = "built"
        return 0

    def export_rknn(self, path):
        self._expect("built", "running")
        with open(path, "wb") as f:
            f.write(b"RKNN" + (self.settings["target_platform"] * 100).encode() + os.urandom(4))
        return 0

    def init_runtime(self, target=None):
        self._expect("built")
        self.state = "running"
        return 0

    def inference(self, inputs, data_format=None):
        self._expect("running")
        assert data_format == "nhwc" and inputs[0].dtype == np.uint8
        mean, std = (np.float32(self.settings[k][0]) for k in ("mean_values", "std_values"))
        x = ((inputs[0] - mean) / std).transpose(0, 3, 1, 2)
        return self.session.run(None, {self.session.get_inputs()[0].name: x})

    def release(self):
        self.state = "released"
