"""Camera, network and results on the MaixII-Dock's screen (MaixPy3): classes, object centers, boxes.

Copy this directory to the board and run ``python main.py``. ``model.json`` says everything about the model;
``python main.py --golden`` compares the board with the numbers measured before it was sent here.
"""

import json
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from decode import decode  # noqa: E402

NOISE = 0.05
"""Share of a head's energy: more is another model, or another image."""


def load_settings():
    """``model.json``."""
    with open(os.path.join(HERE, "model.json")) as f:
        return json.load(f)


def load_network(settings):
    """The model on the neural processor. Mean and norm are those it was trained with."""
    from maix import nn

    files = {k: os.path.join(HERE, settings[k]) for k in ("param", "bin")}
    shapes = settings["output_shapes"]
    options = {
        "model_type": "awnn",
        "inputs": {"input0": tuple(settings["input"])},
        "outputs": {"output%d" % i: tuple(shape) for i, shape in enumerate(shapes)},
        "mean": settings["mean"],
        "norm": settings["norm"],
        "first_layer_conv_no_pad": False,
    }
    return nn.load(files, opt=options)


def heads_of(network, pixels, settings):
    """{name: (channels, rows, columns) or (channels,)}; pixels: bytes, rows x columns x channels."""
    answer = network.forward(pixels, quantize=True, layout="hwc")
    if isinstance(answer, dict):
        answer = [answer["output%d" % i] for i in range(len(answer))]
    several = answer if isinstance(answer, (list, tuple)) else [answer]
    heads = {}
    for output, (width, height, channels), values in zip(
        settings["outputs"], settings["output_shapes"], several
    ):
        grid = np.asarray(values, np.float32).reshape(height, width, channels).transpose(2, 0, 1)
        heads[output["name"]] = grid if output["stride"] else grid.reshape(-1)
    return heads


def geometry(height, width, settings):
    """((rows, columns) the image takes, (top, left)), as in training."""
    columns, rows = settings["input"][:2]
    if settings["resize"] == "stretch":
        return (rows, columns), (0, 0)
    scale = min(rows / height, columns / width)
    new = (min(rows, max(1, round(height * scale))), min(columns, max(1, round(width * scale))))
    if settings["pad_side"] == "center":
        return new, ((rows - new[0]) // 2, (columns - new[1]) // 2)
    return new, (0, 0)


def fit(frame, settings):
    """What the camera sees as the network's input, bytes. The board's resize is not training's, but close."""
    (rows, columns), (top, left) = geometry(frame.height, frame.width, settings)
    pixels = np.frombuffer(frame.resize(columns, rows).tobytes(), np.uint8).reshape(
        rows, columns, 3
    )
    if settings["channel_order"] == "gray":
        luma = pixels @ np.array([0.299, 0.587, 0.114])
        pixels = np.round(luma).astype(np.uint8)[:, :, None]
    elif settings["channel_order"] == "bgr":
        pixels = pixels[:, :, ::-1]
    width, height, channels = settings["input"]
    out = np.full((height, width, channels), settings["pad_value"], np.uint8)
    out[top : top + rows, left : left + columns] = pixels
    return out.tobytes()


def results(heads, settings):
    """[(label, score, box in pixels of the network's input or None)], the best first."""
    return decode(heads, settings)[: settings["most_shown"]]


def to_frame(box, frame, settings):
    """Network-input pixels to whole pixels of the frame."""
    (rows, columns), (top, left) = geometry(frame.height, frame.width, settings)
    x = [min(max((v - left) * frame.width / columns, 0), frame.width) for v in box[0::2]]
    y = [min(max((v - top) * frame.height / rows, 0), frame.height) for v in box[1::2]]
    return int(x[0]), int(y[0]), int(x[1]), int(y[1])


def compare_golden(network, settings):
    """A line an image and head, then the verdict; 0 where the board computes what was measured."""
    folder = os.path.join(HERE, "golden")
    if not os.path.exists(os.path.join(folder, "golden.json")):
        print("no golden images in this bundle")
        return 1
    with open(os.path.join(folder, "golden.json")) as f:
        golden = json.load(f)
    bad = 0
    for entry in golden["entries"]:
        with open(os.path.join(folder, entry["image"]), "rb") as f:
            found = heads_of(network, f.read(), settings)
        wanted = {name: np.load(os.path.join(folder, p)) for name, p in entry["outputs"].items()}
        for name, values in wanted.items():
            apart = found[name] - values.reshape(found[name].shape)
            good = float((apart**2).sum()) <= NOISE * float((values**2).sum())
            bad += not good
            largest = round(float(np.abs(apart).max()), 4)
            print(entry["source"], name, "largest difference", largest, "" if good else "DIFFERS")
        counts = [len(results(heads, settings)) for heads in (found, wanted)]
        print(entry["source"], "results: %d, before deployment %d" % tuple(counts))
    print("self-test FAILED: do not trust this board's results" if bad else "self-test passed")
    return 4 if bad else 0


def watch(network, settings):
    """Shows what is found in what the camera sees, until interrupted."""
    from maix import camera, display, image

    while True:
        frame = camera.capture()
        if not frame:
            continue
        canvas = image.load(frame.tobytes(), (frame.width, frame.height))
        found = results(heads_of(network, fit(frame, settings), settings), settings)
        for row, (label, score, box) in enumerate(found):
            x, y = 4, 4 + 20 * row
            if box is not None:
                x, y, x1, y1 = to_frame(box, frame, settings)
                canvas.draw_rectangle(x, y, x1, y1, color=(0, 255, 0), thickness=2)
            text = "%s %.0f%%" % (settings["labels"][label], 100 * score)
            canvas.draw_string(x, y, text, scale=1.5, color=(255, 255, 255), thickness=2)
        display.show(canvas)


def main():
    """Watches, or compares with ``--golden``."""
    settings = load_settings()
    network = load_network(settings)
    if "--golden" in sys.argv[1:]:
        return compare_golden(network, settings)
    watch(network, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
