"""From raw heads to results, by the rule of ``model.json``: classes, object centers, boxes.

``model["decode"]`` says which program reads the heads and how each is read: what is left to apply to its
numbers, whether channel 0 is the background, where a cell's point lies, what the numbers are multiplied by.
A result is ``(label, score, (x0, y0, x1, y1))`` in pixels of the network's input; a class of the whole
image has no box.
"""

import numpy as np

AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1))


def sigmoid(x):
    """Without overflow for large numbers of either sign."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def decode(heads, model):
    """heads: {name: float32 (C, H, W) or (C,)}; model: ``model.json``."""
    rule = model["decode"]
    outputs = [(r, heads[r["name"]]) for r in rule["heads"]]
    if rule["program"] == "classes":
        return classes(*outputs[0])
    if rule["program"] == "cells":
        return centers(*outputs[0], model["threshold"])
    if rule["program"] == "boxes":
        return boxes(outputs, model, rule)
    raise ValueError("no decoder for the program %s" % rule["program"])


def scores_of(head, values):
    """0..1, channels first."""
    if head["activation"] == "sigmoid":
        return sigmoid(values)
    if head["activation"] == "softmax":
        powers = np.exp(values - values.max(axis=0))
        return powers / powers.sum(axis=0)
    return values


def classes(head, logits):
    """Every class, best first; equal scores in class order."""
    scores = scores_of(head, logits)
    order = np.argsort(-scores, kind="stable")
    return [(int(i), float(scores[i]), None) for i in order]


def shifted(grid, dy, dx):
    """The neighbor of every cell in that direction; zero beyond the border."""
    rows, columns = grid.shape
    padded = np.pad(grid, 1)
    return padded[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns]


def centers(head, logits, threshold):
    """Objects of a grid whose channel 0 is the background.

    A cell fires where a class beats every other channel with a score over the threshold. Of cells that share
    an edge the strongest reports, the first in reading order where they are equal. The place is the
    score-weighted mean of the cell and those four of its class.
    """
    scores, stride = scores_of(head, logits), head["stride"]
    cells = scores.argmax(axis=0)
    best = scores.max(axis=0)
    firing = np.where((cells > 0) & (best >= threshold), best, 0.0)
    strongest = (firing > 0) & (firing >= highest_around(firing))
    index = np.arange(firing.size, 0, -1).reshape(firing.shape)
    rank = np.where(strongest, index, 0)
    peaks = strongest & (rank >= highest_around(rank))
    weight, ys, xs = firing.copy(), *(firing * (i + 0.5) for i in np.indices(firing.shape))
    for dy, dx in AROUND:
        same = shifted(cells, dy, dx) == cells
        share = shifted(firing, dy, dx) * same
        rows, columns = np.indices(firing.shape)
        weight = weight + share
        ys = ys + share * (rows + dy + 0.5)
        xs = xs + share * (columns + dx + 0.5)
    found = []
    for y, x in zip(*np.nonzero(peaks)):
        cx, cy = xs[y, x] / weight[y, x] * stride, ys[y, x] / weight[y, x] * stride
        half = stride / 2.0
        place = (float(cx - half), float(cy - half), float(cx + half), float(cy + half))
        found.append((int(cells[y, x]) - 1, float(firing[y, x]), place))
    return sorted(found, key=lambda r: -r[1])


def highest_around(grid):
    """Maximum over the four cells that share an edge with each."""
    return np.max([shifted(grid, dy, dx) for dy, dx in AROUND], axis=0)


def boxes(outputs, model, rule):
    """Boxes of all strides over the threshold, overlapping ones of one class suppressed."""
    levels = {}
    for head, grid in outputs:
        levels.setdefault(head["stride"], {})[head["part"]] = (head, grid)
    found = []
    for stride, parts in levels.items():
        confidence = scores_of(*parts["scores"])
        if "quality" in parts:
            confidence = confidence * scores_of(*parts["quality"])
            if parts["quality"][0]["combine"] == "geometric_mean":
                confidence = np.sqrt(confidence)
        label, y, x = np.nonzero(confidence > model["threshold"])
        side, grid = parts["sides"]
        # single precision from here on: what a microcontroller computes, to the last bit
        point = (np.stack([x, y]).astype(np.float32) + np.float32(side["offset"])) * stride
        corners = corners_of(side, grid[:, y, x], point)
        found.append((confidence[label, y, x], label, corners))
    confidence, label, corners = (np.concatenate(part) for part in zip(*found))
    order = np.argsort(-confidence, kind="stable")[: rule["most_candidates"]]
    kept = np.arange(len(order))[: rule["most_results"]]
    if rule["suppression"] == "overlap":
        kept = suppress(corners[order], label[order], model["overlap"], rule["most_results"])
    return [
        (int(label[i]), float(confidence[i]), tuple(float(v) for v in corners[i]))
        for i in order[kept]
    ]


def corners_of(side, values, point):
    """Boxes (K, 4) of the raw numbers (C, K) of the cells with these points (2, K)."""
    unit = side["stride"] if side["unit"] == "stride" else 1
    at_x, at_y = point
    if side["transform"] == "center":
        middle_x, middle_y = at_x + values[0] * unit, at_y + values[1] * unit
        half_x, half_y = np.exp(values[2]) * unit / 2, np.exp(values[3]) * unit / 2
        low, high = (middle_x - half_x, middle_y - half_y), (middle_x + half_x, middle_y + half_y)
        return np.stack([*low, *high], axis=1)
    if side["transform"] == "exp":
        values = np.exp(values)
    if side["transform"] == "expectation":
        bins = values.reshape(4, -1, values.shape[1])
        powers = np.exp(bins - bins.max(axis=1, keepdims=True))
        lengths = np.arange(bins.shape[1], dtype=np.float32)[None, :, None]
        values = (powers * lengths).sum(axis=1) / powers.sum(axis=1)
    left, top, right, bottom = values * unit
    return np.stack([at_x - left, at_y - top, at_x + right, at_y + bottom], axis=1)


def suppress(corners, labels, overlap, most):
    """Indices of the boxes, best first, that no better one of their class overlaps by more."""
    low, high = corners[:, :2], corners[:, 2:]
    area = np.prod(np.maximum(high - low, 0), axis=1)
    free = np.ones(len(corners), bool)
    kept = []
    for i in range(len(corners)):
        if not free[i]:
            continue
        kept.append(i)
        both = np.minimum(high[i], high) - np.maximum(low[i], low)
        shared = np.prod(np.maximum(both, 0), axis=1)
        union = area[i] + area - shared
        free &= ~((shared > overlap * union) & (labels == labels[i]))
        if len(kept) == most:
            break
    return np.array(kept, int)
