"""Answers with a network's raw heads, request by request: on the compiler's emulators or on the device.

    python3 serve.py sdk-native | sdk-optimized | sdk-quantized | hailort

Reads a JSON object a line, ``{"images": FILE.npy, "heads": FILE.npz}``: uint8 (N, rows, columns, C), red
first; writes one float32 array a head, (N, rows, columns, channels) as Hailo lays them out.
"""

import json
import sys

import numpy as np
from compile import JobError, head_layers, load_settings, say

CONTEXTS = {
    "sdk-native": ("parsed_har", "SDK_NATIVE"),
    "sdk-optimized": ("optimized_har", "SDK_FP_OPTIMIZED"),
    "sdk-quantized": ("optimized_har", "SDK_QUANTIZED"),
}


def normalized(images, settings):
    """What the parsed network takes: its model script is not in it."""
    if settings["channel_order"] == "bgr":
        images = images[..., ::-1]
    mean, std = (np.float32(settings[k]) for k in ("mean", "std"))
    return (images.astype(np.float32) - mean) / std


def emulator(runtime, settings):
    """A function from images to {head: array}."""
    from hailo_sdk_client import ClientRunner, InferenceContext

    har, context = CONTEXTS[runtime]
    runner = ClientRunner(har=settings[har])
    hn = runner.get_hn_dict()
    layers = head_layers(hn, settings["heads"])
    order = hn["net_params"]["output_layers_order"]

    def infer(images):
        native = runtime == "sdk-native"
        x = normalized(images, settings) if native else images.astype(np.float32)
        with runner.infer_context(getattr(InferenceContext, context)) as ctx:
            answer = runner.infer(ctx, x)
        # one array where the network has one output
        arrays = answer if isinstance(answer, (list, tuple)) else [answer]
        if len(arrays) != len(order):
            raise JobError(
                "the emulator returned %d arrays for %d outputs" % (len(arrays), len(order)),
                "export with this compiler's version again",
            )
        by_layer = dict(zip(order, arrays))
        return {name: by_layer[layer] for name, layer in layers.items()}

    return infer


def device(settings):
    """The same on the accelerator of this machine."""
    from device import Network

    return Network(settings["hef"], settings["heads"]).heads


def main():
    """Until the input ends."""
    settings = load_settings()
    runtime = sys.argv[1]
    try:
        infer = device(settings) if runtime == "hailort" else emulator(runtime, settings)
        for line in sys.stdin:
            request = json.loads(line)
            found = infer(np.load(request["images"]))
            np.savez(request["heads"], **{k: np.float32(v) for k, v in found.items()})
            say("result", heads=request["heads"])
    except JobError as e:
        say("error", message=str(e), fix=e.fix)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
