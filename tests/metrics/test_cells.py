"""The twelve vectors measured on SSCMA's own metric: 8x8 grid, 2 classes and background."""

from __future__ import annotations

import numpy as np
import pytest

from edgectl.metrics.cells import count_cells

BLOB = [(r, c, 1) for r in (3, 4, 5) for c in (3, 4, 5)]

VECTORS = {
    "hit on the cell": ([(4, 4, 1)], [(4, 4, 1)], 0, (1, 0, 0)),
    "only the right neighbor": ([(4, 4, 1)], [(4, 5, 1)], 0, (1, 0, 1)),
    "cell and right neighbor": ([(4, 4, 1)], [(4, 4, 1), (4, 5, 1)], 0, (2, 0, 0)),
    "3x3 blob on one object": ([(4, 4, 1)], BLOB, 0, (9, 0, 0)),
    "two cells away": ([(4, 4, 1)], [(4, 6, 1)], 0, (0, 1, 1)),
    "far false alarm, object missed": ([(1, 1, 1)], [(6, 6, 1)], 0, (0, 1, 1)),
    "nothing predicted": ([(4, 4, 1)], [], 0, (0, 0, 1)),
    "no object, one prediction": ([], [(4, 4, 1)], 0, (0, 1, 0)),
    "class 1 taken for 2": ([(4, 4, 1)], [(4, 4, 2)], 0, (0, 1, 0)),
    "class 2 taken for 1": ([(4, 4, 2)], [(4, 4, 1)], 0, (0, 0, 1)),
    "two adjacent, one predicted": ([(4, 4, 1), (4, 5, 1)], [(4, 4, 1)], 0, (1, 0, 1)),
    "neighbor hit at batch index 8": ([(4, 4, 1)], [(4, 5, 1)], 8, (0, 1, 1)),
}


def grid(cells, image, images):
    out = np.zeros((images, 8, 8), np.int64)
    for row, column, label in cells:
        out[image, row, column] = label
    return out


@pytest.mark.parametrize("name", VECTORS)
def test_vector(name):
    true, predicted, image, counts = VECTORS[name]
    result = count_cells(grid(predicted, image, image + 1), grid(true, image, image + 1))
    assert tuple(result) == counts


@pytest.mark.parametrize("shape", [(2, 20, 12), (2, 12, 20)])
def test_grids_that_are_not_square(shape):
    """A hit beside the object counts in the last column as in the first, and nothing leaves the grid."""
    last = shape[2] - 1
    true, predicted = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for column, neighbor in ((last, last - 1), (0, 1)):
        true[1, 5, column], predicted[1, 5, neighbor] = 1, 1
    assert tuple(count_cells(predicted, true)) == (2, 0, 2)
