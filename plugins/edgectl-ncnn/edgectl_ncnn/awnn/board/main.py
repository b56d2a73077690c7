"""Camera, network, class and probability on the MaixII-Dock's screen (MaixPy3).

Copy this directory to the board and run ``python main.py``. ``model.json`` says everything about the model;
``python main.py --golden`` compares the board with the numbers measured before it was sent here.
"""

import json
import math
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def softmax(logits):
    """Probabilities of the classes: the network returns logits, which are no percentages."""
    highest = max(logits)
    powers = [math.exp(v - highest) for v in logits]
    total = sum(powers)
    return [p / total for p in powers]


def best_class(logits, labels):
    """(name, probability) of the most likely class."""
    probabilities = softmax(logits)
    index = probabilities.index(max(probabilities))
    return labels[index], probabilities[index]


def load_settings():
    """``model.json``."""
    with open(os.path.join(HERE, "model.json")) as f:
        return json.load(f)


def load_network(settings):
    """The model on the neural processor. Mean and norm are those it was trained with."""
    from maix import nn

    files = {k: os.path.join(HERE, settings[k]) for k in ("param", "bin")}
    options = {
        "model_type": "awnn",
        "inputs": {"input0": tuple(settings["input"])},
        "outputs": {"output0": tuple(settings["output"])},
        "mean": settings["mean"],
        "norm": settings["norm"],
        "first_layer_conv_no_pad": False,
    }
    return nn.load(files, opt=options)


def logits_of(network, pixels):
    """pixels: bytes, rows x columns x 3, red first."""
    answer = network.forward(pixels, quantize=True, layout="hwc")
    return [float(v) for v in answer.flatten()]


def compare_golden(network):
    """Largest difference from the logits measured before deployment, a line an image."""
    import numpy

    folder = os.path.join(HERE, "golden")
    with open(os.path.join(folder, "golden.json")) as f:
        golden = json.load(f)
    for entry in golden["entries"]:
        with open(os.path.join(folder, entry["image"]), "rb") as f:
            found = logits_of(network, f.read())
        (name,) = entry["outputs"].values()
        wanted = numpy.load(os.path.join(folder, name)).flatten().tolist()
        apart = max(abs(a - b) for a, b in zip(found, wanted))
        same = found.index(max(found)) == wanted.index(max(wanted))
        print(entry["source"], "largest difference", round(apart, 4), "same class:", same)


def watch(network, settings):
    """Shows the class of what the camera sees, until interrupted."""
    from maix import camera, display, image

    width, height = settings["input"][:2]
    while True:
        frame = camera.capture()
        if not frame:
            continue
        small = frame.resize(width, height)
        name, probability = best_class(logits_of(network, small.tobytes()), settings["labels"])
        text = "%s %.0f%%" % (name, 100 * probability)
        canvas = image.load(frame.tobytes(), (frame.width, frame.height))
        canvas.draw_string(4, 4, text, scale=1.5, color=(255, 255, 255), thickness=2)
        display.show(canvas)


def main():
    """Watches, or compares with ``--golden``."""
    settings = load_settings()
    network = load_network(settings)
    if "--golden" in sys.argv[1:]:
        compare_golden(network)
    else:
        watch(network, settings)


if __name__ == "__main__":
    main()
