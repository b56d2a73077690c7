"""Give every blob one reader, as ncnn wants it: ``Split`` layers where a tensor is read twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from edgectl_ncnn.reader.paramfile import Layer, make_layer


def insert_splits(layers: Sequence[Layer], outputs: Sequence[tuple[str, str]]) -> list[Layer]:
    """Layers whose blobs may have any number of readers to layers with one each.

    Args:
        outputs: (blob, name it must have in the file); a blob may appear more than once.

    Returns:
        The same layers with blobs renamed, and a Split after every producer that needs one.
    """
    readers = Counter(blob for layer in layers for blob in layer.inputs)
    names: dict[str, list[str]] = {}
    for blob, name in outputs:
        names.setdefault(blob, []).append(name)
    # The copies of each blob not handed out yet, outputs first.
    copies: dict[str, list[str]] = {}
    result: list[Layer] = []
    for layer in layers:
        inputs = tuple(copies[i].pop() for i in layer.inputs)
        written, splits = [], []
        for blob in layer.outputs:
            wanted = names.get(blob, [])
            total = readers[blob] + len(wanted)
            if total < 2:
                copies[blob] = [blob] if readers[blob] else []
                written.append(wanted[0] if wanted else blob)
                continue
            free = [f"{blob}_split{i}" for i in range(readers[blob])]
            copies[blob] = free[::-1]
            written.append(blob)
            splits.append(make_layer("Split", f"{blob}_split", [blob], [*free, *wanted]))
        result += [replace(layer, inputs=inputs, outputs=tuple(written)), *splits]
    return result
