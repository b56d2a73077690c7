"""Images, a video or a camera through the network on this machine's accelerator.

    python3 main.py image.jpg ...        one line a result
    python3 main.py --camera 0             results on the screen, until q
    python3 main.py --golden               compares the device with the numbers measured before deployment

device.py says what it needs.
"""

import argparse
import json
import os
import sys

import cv2
import numpy as np
from decode import decode
from device import Accelerator
from images import fit, to_original

HERE = os.path.dirname(os.path.abspath(__file__))
NOISE = 0.05
"""Share of a head's energy: more is another model, or another image."""


def load_model():
    """``model.json``."""
    with open(os.path.join(HERE, "model.json"), encoding="utf-8") as f:
        return json.load(f)


def results(accelerator, image_bgr, model):
    """[(name, score, box in pixels of the image or None)]."""
    height, width = image_bgr.shape[:2]
    found = decode(accelerator.heads(fit(image_bgr, model)), model)
    if model["most_shown"] is not None:
        found = found[: model["most_shown"]]
    return [
        (model["classes"][label], score, box and to_original(box, height, width, model))
        for label, score, box in found
    ]


def text_of(name, score, box):
    """One line."""
    place = "" if box is None else "  " + " ".join("%.0f" % v for v in box)
    return "%s %.2f%s" % (name, score, place)


def files(accelerator, paths, model):
    """A line a result; 1 where a file is no image."""
    bad = 0
    for path in paths:
        image = cv2.imread(path)
        if image is None:
            print("%s: not an image" % path, file=sys.stderr)
            bad = 1
            continue
        print(path)
        for result in results(accelerator, image, model):
            print("  " + text_of(*result))
    return bad


def watch(accelerator, source, model):
    """A window until q or the end of the video."""
    capture = cv2.VideoCapture(source)
    green = (0, 255, 0)
    while True:
        there, frame = capture.read()
        if not there:
            return 0
        for row, (name, score, box) in enumerate(results(accelerator, frame, model)):
            x, y = (8, 24 + 24 * row) if box is None else (int(box[0]), int(box[1]) - 4)
            if box is not None:
                cv2.rectangle(frame, (x, y + 4), (int(box[2]), int(box[3])), green, 2)
            cv2.putText(frame, text_of(name, score, None), (x, y), 0, 0.6, green, 2)
        cv2.imshow("edgectl", frame)
        if cv2.waitKey(1) == ord("q"):
            return 0


def golden(accelerator, model):
    """The largest difference of every head, a line an image, and the verdict: 0 where the device computes
    what was measured, 4 where it does not, 1 where no images were sent along."""
    folder = os.path.join(HERE, "golden")
    listing = os.path.join(folder, "golden.json")
    if not os.path.exists(listing):
        print("no golden images in this bundle", file=sys.stderr)
        return 1
    with open(listing, encoding="utf-8") as f:
        document = json.load(f)
    print("measured on %s" % document["runtime"])
    bad = 0
    for entry in document["entries"]:
        pixels = np.fromfile(os.path.join(folder, entry["image"]), np.uint8)
        image = pixels.reshape(document["shape"])
        if document["channel_order"] == "bgr":
            image = image[..., ::-1]
        found = accelerator.heads(image)
        wanted = {n: np.load(os.path.join(folder, p)) for n, p in entry["outputs"].items()}
        apart = []
        for name, values in wanted.items():
            span = max(1e-6, float(np.abs(values).max()))
            difference = found[name] - values
            largest = float(np.abs(difference).max())
            good = float((difference**2).sum()) <= NOISE * float((values**2).sum())
            bad += not good
            said = "" if good else " DIFFERS"
            apart.append("%s %.4f (%.1f %%)%s" % (name, largest, 100 * largest / span, said))
        counts = tuple(len(decode(heads, model)) for heads in (found, wanted))
        apart.append("%d results, before deployment %d" % counts)
        print("%s: %s" % (entry["source"], ", ".join(apart)))
    print("self-test FAILED: do not trust this device's results" if bad else "self-test passed")
    return 4 if bad else 0


def main(words=None):
    """Exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", nargs="*")
    parser.add_argument("--camera", help="number of the camera, or a video file")
    parser.add_argument("--golden", action="store_true")
    parser.add_argument("--threshold", type=float, help="lowest score shown")
    chosen = parser.parse_args(words)
    if not (chosen.images or chosen.camera or chosen.golden):
        parser.error("name images, --camera or --golden")
    model = load_model()
    if chosen.threshold is not None:
        model["threshold"] = chosen.threshold
    accelerator = Accelerator(HERE, model)
    try:
        if chosen.golden:
            return golden(accelerator, model)
        if chosen.camera:
            source = int(chosen.camera) if chosen.camera.isdigit() else chosen.camera
            return watch(accelerator, source, model)
        return files(accelerator, chosen.images, model)
    finally:
        accelerator.close()


if __name__ == "__main__":
    sys.exit(main())
