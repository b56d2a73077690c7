"""ONNX to HEF with Hailo's Dataflow Compiler: parse, optimize, compile.

Runs in the environment that has ``hailo_sdk_client``, in the directory of an exported plan::

    python3 compile.py

Reads compile.json, model.onnx, model.alls and calibration.npy. Leaves model_parsed.har,
model_optimized.har and model.hef. Progress is one JSON object a line.
"""

import hashlib
import importlib.metadata
import json
import os
import sys
import time

SETTINGS = "compile.json"


class JobError(Exception):
    """What went wrong and what to do about it."""

    def __init__(self, message, fix):
        Exception.__init__(self, message)
        self.fix = fix


def say(event, **facts):
    """A line of the job protocol."""
    print(json.dumps({"edgectl": 1, "event": event, **facts}), flush=True)


def load_settings():
    """``compile.json``."""
    with open(SETTINGS, encoding="utf-8") as f:
        return json.load(f)


def head_layers(hn, heads):
    """Name the parser gave the layer of every head: ``{head: layer}``.

    hn: ``ClientRunner.get_hn_dict()``. Its outputs need not be in the order they were asked for; each layer
    lists the ONNX nodes it was made of.
    """
    found = {}
    for layer in hn["net_params"]["output_layers_order"]:
        originals = hn["layers"][layer].get("original_names", [])
        for head in heads:
            if head["node"] in originals:
                found[head["name"]] = layer
    missing = [head["name"] for head in heads if head["name"] not in found]
    if missing:
        raise JobError(
            "the parser's outputs are %s; none was made of the node of %s"
            % (", ".join(hn["net_params"]["output_layers_order"]), ", ".join(missing)),
            "compare end_node_names in %s with the compiler's version" % SETTINGS,
        )
    return found


def model_script(settings):
    """Text of the script."""
    with open(settings["script"], encoding="utf-8") as f:
        return f.read()


def write(path, data):
    """Bytes to a file, complete or not at all."""
    with open(path + ".tmp", "wb") as f:
        f.write(data)
    os.replace(path + ".tmp", path)


def digest(path):
    """sha256 of a file."""
    total = hashlib.sha256()
    with open(path, "rb") as f:
        for chunk in iter(lambda: f.read(1 << 20), b""):
            total.update(chunk)
    return total.hexdigest()


def sdk_version():
    """Read the compiler's version; empty where it does not say."""
    try:
        return importlib.metadata.version("hailo-dataflow-compiler")
    except importlib.metadata.PackageNotFoundError:
        return ""


def run(settings):
    """All three stages. Returns the facts of the result."""
    try:
        import numpy as np
        from hailo_sdk_client import ClientRunner
    except ImportError as e:
        raise JobError(
            "this Python has no %s" % e.name,
            "run it with the Python of the Dataflow Compiler's environment",
        ) from e
    stages = []

    def done(stage, path, since):
        seconds = round(time.time() - since, 1)
        stages.append({"stage": stage, "file": path, "sha256": digest(path), "seconds": seconds})

    heads = settings["heads"]
    since = time.time()
    say("progress", message="parsing %s for %s" % (settings["onnx"], settings["hw_arch"]))
    runner = ClientRunner(hw_arch=settings["hw_arch"])
    runner.translate_onnx_model(
        settings["onnx"],
        settings["network"],
        start_node_names=settings["start_node_names"],
        end_node_names=[head["node"] for head in heads],
        net_input_shapes=settings["net_input_shapes"],
    )
    layers = head_layers(runner.get_hn_dict(), heads)
    runner.save_har(settings["parsed_har"])
    done("parse", settings["parsed_har"], since)

    since = time.time()
    calibration = np.load(settings["calibration"])
    say("progress", message="optimizing on %d images" % len(calibration))
    runner.load_model_script(model_script(settings))
    runner.optimize(calibration)
    runner.save_har(settings["optimized_har"])
    done("optimize", settings["optimized_har"], since)

    since = time.time()
    say("progress", message="compiling")
    write(settings["hef"], runner.compile())
    done("compile", settings["hef"], since)
    return {
        "hw_arch": settings["hw_arch"],
        "layers": layers,
        "stages": stages,
        "sdk_version": sdk_version(),
        "images": len(calibration),
    }


def main():
    """0 when the HEF is there."""
    try:
        say("result", **run(load_settings()))
    except JobError as e:
        say("error", message=str(e), fix=e.fix)
        return 1
    except Exception as e:
        # whatever the compiler raises: the job ends with one line that says it
        lines = str(e).strip().splitlines() or [""]
        say("error", message="%s: %s" % (type(e).__name__, lines[0]), fix="its log says more")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
