"""An OM on the NPU of this machine, through ais_bench (https://gitee.com/ascend/tools, ais-bench_workload).

Needs CANN (its set_env.sh sourced), ais_bench and OpenCV. AIPP inside the OM normalizes: pixels go in as
they are.
"""

import os

import numpy as np
from ais_bench.infer.interface import InferSession


class Accelerator:
    """What main.py asks of a device."""

    def __init__(self, folder, model):
        self._outputs = model["outputs"]
        self._session = InferSession(model["device"], os.path.join(folder, model["om"]))
        wanted = [1, *model["input_size"], model["channels"]]
        found = list(self._session.get_inputs()[0].shape)
        if found != wanted:
            raise RuntimeError(
                "this OM takes %s, not %s: made for another network" % (found, wanted)
            )

    def heads(self, image):
        """uint8 (rows, columns, 3) red first, or (rows, columns, 1), to {head: float32 (C, H, W) or (C,)}."""
        answers = self._session.infer(feeds=[np.ascontiguousarray(image[None])])
        if len(answers) != len(self._outputs):
            raise RuntimeError(
                "this OM has %d outputs, not %d" % (len(answers), len(self._outputs))
            )
        return {o["name"]: np.float32(a)[0] for o, a in zip(self._outputs, answers)}

    def close(self):
        """Gives the device back."""
        self._session.free_resource()
