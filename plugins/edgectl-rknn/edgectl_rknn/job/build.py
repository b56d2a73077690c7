"""Builds the network from the files in this directory: what compile.py and simulate.py share.

Runs in the compiler's own environment (rknn-toolkit2), which edgectl is not installed in.
"""

import contextlib
import json
import sys

from rknn.api import RKNN


def event(kind, **facts):
    """A line edgectl reads; see edgectl.toolchains.process."""
    print(json.dumps({"edgectl": 1, "event": kind, **facts}), flush=True)


@contextlib.contextmanager
def reported():
    """The toolkit raises ValueError with a whole traceback as its text: its last line is the message."""
    try:
        yield
    except Exception as e:  # the boundary of the vendor's code
        lines = str(e).strip().splitlines()
        event("error", message="%s: %s" % (type(e).__name__, lines[-1] if lines else ""))
        sys.exit(1)


def built(settings):
    """The network, built and ready to be exported or run."""
    network = RKNN(verbose=False)
    done(network.config(**settings["config"]), "config")
    event("progress", message="reading " + settings["model"])
    done(network.load_onnx(model=settings["model"]), "load_onnx")
    event("progress", message="building for " + settings["config"]["target_platform"])
    done(network.build(**settings["build"]), "build")
    return network


def done(code, step):
    """The toolkit's calls return 0."""
    if code != 0:
        raise RuntimeError("%s returned %s" % (step, code))


def read_settings():
    """``rknn.json``, which edgectl wrote."""
    with open("rknn.json") as f:
        return json.load(f)
