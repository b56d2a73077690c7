"""A HEF on the accelerator of this machine, through HailoRT's Python package (4.18 or later).

Needs HailoRT (sudo apt install hailo-all) and OpenCV (sudo apt install python3-opencv).
"""

import os
from contextlib import ExitStack

import numpy as np

TIMEOUT_MS = 10000


class Network:
    """Opens the device and keeps the network on it until :meth:`close`.

    heads: ``[{"name", "node", "shape"}]``; ``node`` is the ONNX node the output was made of, which a HEF
    remembers whatever its own name for the output is.
    """

    def __init__(self, hef, heads):
        from hailo_platform import HEF, FormatType, VDevice

        self._heads = heads
        self._streams = stream_names(HEF(hef), heads)
        self._open = ExitStack()
        device = self._open.enter_context(VDevice())
        self._model = device.create_infer_model(hef)
        self._model.input().set_format_type(FormatType.UINT8)
        for name in self._streams.values():
            # HailoRT de-quantizes: (q - zero point) * scale, of the output or of each channel
            self._model.output(name).set_format_type(FormatType.FLOAT32)
        self._network = self._open.enter_context(self._model.configure())

    def heads(self, images):
        """uint8 (N, rows, columns, C), red first or gray, to {head: float32 (N, rows, columns, channels)}."""
        found = {head["name"]: [] for head in self._heads}
        for image in images:
            buffers = {
                stream: np.empty(self._model.output(stream).shape, np.float32)
                for stream in self._streams.values()
            }
            bindings = self._network.create_bindings(output_buffers=buffers)
            bindings.input().set_buffer(np.ascontiguousarray(image))
            self._network.run([bindings], TIMEOUT_MS)
            for head, stream in self._streams.items():
                found[head].append(np.array(bindings.output(stream).get_buffer(), np.float32))
        return {name: np.stack(rows) for name, rows in found.items()}

    def close(self):
        """Gives the device back."""
        self._open.close()


class Accelerator:
    """What main.py asks of a device."""

    def __init__(self, folder, model):
        self._shapes = {h["name"]: h["shape"] for h in model["heads"]}
        self._network = Network(os.path.join(folder, model["hef"]), model["heads"])

    def heads(self, image):
        """uint8 (rows, columns, C), red first or gray, to {head: float32 (C, H, W) or (C,)}."""
        found = self._network.heads(image[None])
        return {name: channels_first(found[name][0], shape) for name, shape in self._shapes.items()}

    def close(self):
        """Gives the device back."""
        self._network.close()


def stream_names(hef, heads):
    """{head: name of its output in the HEF}."""
    found = {}
    for info in hef.get_output_vstream_infos():
        originals = hef.get_original_names_from_vstream_name(info.name)
        for head in heads:
            if head["node"] in originals:
                found[head["name"]] = info.name
    missing = [head["name"] for head in heads if head["name"] not in found]
    if missing:
        raise RuntimeError(
            "this HEF has no output made of the node of %s: it was compiled from another network"
            % ", ".join(missing)
        )
    return found


def channels_first(array, shape):
    """A head as Hailo lays it out to one as the network was trained: (C, H, W) or (C,)."""
    if len(shape) == 4:
        channels, rows, columns = shape[1:]
        return array.reshape(rows, columns, channels).transpose(2, 0, 1)
    return array.reshape(shape[1:])
