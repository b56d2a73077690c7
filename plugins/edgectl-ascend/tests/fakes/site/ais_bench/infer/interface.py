"""A stand-in for ais_bench: runs the stand-in's OM, AIPP by hand, the network on ONNX Runtime."""

import re
import zipfile
from types import SimpleNamespace

import numpy as np
import onnxruntime


class InferSession:
    def __init__(self, device_id, model_path):
        assert device_id == 0
        with zipfile.ZipFile(model_path) as om:
            self.session = onnxruntime.InferenceSession(om.read("model.onnx"))
            self.aipp = dict(re.findall(r"(\w+): (\S+)", om.read("aipp.cfg").decode()))
        self.shape = self.session.get_inputs()[0].shape

    def get_inputs(self):
        n, c, h, w = self.shape
        return [SimpleNamespace(name="images", shape=[n, h, w, c], datatype="uint8")]

    def infer(self, feeds):
        (x,) = feeds
        assert x.dtype == np.uint8 and list(x.shape) == self.get_inputs()[0].shape
        assert x.flags["C_CONTIGUOUS"]
        x = x.astype(np.float32)
        if self.aipp["rbuv_swap_switch"] == "true":
            x = x[..., ::-1]
        low, scale = (
            np.float32([self.aipp["%s_%d" % (k, i)] for i in range(3)])
            for k in ("min_chn", "var_reci_chn")
        )
        return self.session.run(None, {"images": ((x - low) * scale).transpose(0, 3, 1, 2)})

    def free_resource(self):
        self.session = None
