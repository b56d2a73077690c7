"""Images as the network was trained on them, and boxes back to the image. NumPy and OpenCV."""

import cv2
import numpy as np

INTERPOLATIONS = {
    "bilinear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "bicubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
}


def geometry(height, width, model):
    """((rows, columns) the image takes, (scale x, scale y), (left, top))."""
    rows, columns = model["input_size"]
    if model["resize"] == "stretch":
        return (rows, columns), (columns / width, rows / height), (0, 0)
    scale = min(rows / height, columns / width)
    new = (min(rows, max(1, round(height * scale))), min(columns, max(1, round(width * scale))))
    left = top = 0
    if model["pad_side"] == "center":
        top, left = (rows - new[0]) // 2, (columns - new[1]) // 2
    return new, (new[1] / width, new[0] / height), (left, top)


def fit(image_bgr, model):
    """uint8 (H, W, 3), as OpenCV decodes, to uint8 (rows, columns, 3), red first, or (rows, columns, 1)."""
    height, width = image_bgr.shape[:2]
    gray = model["channels"] == 1
    if gray:
        image_bgr = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    size, _, (left, top) = geometry(height, width, model)
    named = model["interpolation"]
    if named == "auto":  # area averaging when it shrinks: no aliasing
        named = "area" if size[0] * size[1] < height * width else "bilinear"
    how = INTERPOLATIONS[named]
    small = cv2.resize(image_bgr, (size[1], size[0]), interpolation=how)
    out = np.full((*model["input_size"], model["channels"]), model["pad_value"], np.uint8)
    seen = small[:, :, None] if gray else small[:, :, ::-1]
    out[top : top + size[0], left : left + size[1]] = seen
    return out


def to_original(box, height, width, model):
    """Network-input pixels to pixels of the image, clipped to it."""
    _, (scale_x, scale_y), (left, top) = geometry(height, width, model)
    x0, y0, x1, y1 = box
    xs = [min(max((x - left) / scale_x, 0.0), float(width)) for x in (x0, x1)]
    ys = [min(max((y - top) / scale_y, 0.0), float(height)) for y in (y0, y1)]
    return xs[0], ys[0], xs[1], ys[1]
