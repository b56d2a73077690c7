"""In which order a device holds the axes of a tensor.

The graph says channels first, the kernels of feature maps want them last. A change of axes is then nothing
but another reading of the same bytes, and mostly so is a reshape; a TRANSPOSE is written where a kernel
insists on an order the tensor does not have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Layout = tuple[int, ...]
"""For each axis on the device, the graph's axis. The first is the image."""


def standard_layout(rank: int) -> Layout:
    """NHWC for feature maps, else the graph's own order."""
    return (0, 2, 3, 1) if rank == 4 else tuple(range(rank))


def device_shape(shape: Sequence[int], layout: Layout | None = None) -> tuple[int, ...]:
    """The shape on the device."""
    layout = standard_layout(len(shape)) if layout is None else layout
    return tuple(shape[axis] for axis in layout)


def permuted_layout(layout: Layout, order: Sequence[int]) -> Layout:
    """The layout of the same bytes after the graph's axes were put in ``order``."""
    order = list(order)
    return tuple(order.index(axis) for axis in layout)


def same_bytes(shape: Sequence[int], one: Layout, other: Layout) -> bool:
    """Whether two layouts differ in the place of axes of length one at most."""
    long = [[axis for axis in layout if shape[axis] > 1] for layout in (one, other)]
    return long[0] == long[1]


def reshaped_layout(before: Sequence[int], layout: Layout, after: Sequence[int]) -> Layout | None:
    """The layout under which a reshape of the graph moves no byte; None where there is none.

    Axes that are split or joined must lie side by side on the device, in order.
    """
    held = [axis for axis in layout if before[axis] > 1]
    order: list[int] = []
    groups = _groups(before, after)
    while held:
        group = next((g for g in groups if g[0] and g[0][0] == held[0]), None)
        if group is None or held[: len(group[0])] != group[0]:
            return None
        held = held[len(group[0]) :]
        order += group[1]
    rank = len(after)
    for candidate in (standard_layout(rank), tuple(range(rank))):
        if [axis for axis in candidate if after[axis] > 1] == order:
            return candidate
    rest = [axis for axis in range(1, rank) if axis not in order]
    return (0, *rest, *(axis for axis in order if axis))


def _groups(before: Sequence[int], after: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """The fewest axes of either shape that hold the same elements; axes of length one are in none."""
    left = [axis for axis, size in enumerate(before) if size > 1]
    right = [axis for axis, size in enumerate(after) if size > 1]
    groups = []
    while left or right:
        one, other = [left.pop(0)], [right.pop(0)]
        while (a := math.prod(before[x] for x in one)) != (b := math.prod(after[x] for x in other)):
            if a < b:
                one.append(left.pop(0))
            else:
                other.append(right.pop(0))
        groups.append((one, other))
    return groups


def last_axis_layout(layout: Layout, shape: Sequence[int], axis: int) -> Layout:
    """The layout, with ``axis`` moved to the end unless it is there but for axes of length one."""
    behind = layout[layout.index(axis) + 1 :]
    if all(shape[a] == 1 for a in behind) and not behind:
        return layout
    return (*(a for a in layout if a != axis), axis)
