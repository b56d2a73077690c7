"""Answers with a network's raw heads, request by request, on device 0 of this machine.

    python3 serve.py MODEL.om

Reads a JSON object a line, {"input": FILE.npy, "output": FILE.npz}: uint8 (N, H, W, C), red first; writes
one array an output, in order.
"""

import json
import sys

import numpy as np
from ais_bench.infer.interface import InferSession


def main(model):
    """Until the end of the input."""
    session = InferSession(0, model)
    for line in sys.stdin:
        request = json.loads(line)
        rows = [session.infer(feeds=[image[None]]) for image in np.load(request["input"])]
        np.savez(request["output"], *[np.concatenate(parts) for parts in zip(*rows)])
        print(json.dumps({"edgectl": 1, "event": "result"}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
