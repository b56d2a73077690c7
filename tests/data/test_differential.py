"""Every reader against a writer that shares no code with it."""

from __future__ import annotations

import numpy as np
import pytest

from edgectl.data.catalog.opening import open_dataset
from edgectl.data.formats.reading.options import ReadOptions
from edgectl.data.formats.reading.splits import split_name
from edgectl.errors import DataError

from .exports.scenes import make_scenes
from .exports.writers import WRITERS

PLAIN = ReadOptions()


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))


def read(path, options=PLAIN):
    return open_dataset(path, infos=[], offline=True, options=options)


def stated(scenes):
    return {
        (split_name(s.split), s.file): sorted((n, *map(float, b)) for *b, n in s.boxes)
        for s in scenes
    }


def found(index):
    return {
        (split, s.path.name): sorted(
            (index.classes[i], *map(float, b)) for i, b in zip(s.labels, s.boxes_xyxy, strict=True)
        )
        for split, samples in index.splits.items()
        for s in samples
    }


def compare(kind, seed, root):
    names, scenes = make_scenes(seed)
    path = WRITERS[kind](root, names, scenes)
    try:
        index = read(path)
    except DataError as e:
        # a few polygons can be a box and key points too: then the user is asked
        assert kind == "yolo polygons" and "yolo_columns=polygon" in e.fix, e
        index = read(path, ReadOptions(yolo_columns="polygon"))
    want, have = stated(scenes), found(index)
    assert want.keys() == have.keys()
    for key, boxes in want.items():
        assert [b[0] for b in boxes] == [b[0] for b in have[key]], key
        np.testing.assert_allclose(
            [b[1:] for b in have[key]], [b[1:] for b in boxes], rtol=0, atol=1e-3
        )
    assert not sum(r.lost for r in index.repairs)


@pytest.mark.parametrize("kind", WRITERS)
def test_boxes_are_those_that_were_written(kind, tmp_path):
    compare(kind, 7, tmp_path)


@pytest.mark.slow
def test_a_thousand_sets(tmp_path):
    kinds = list(WRITERS)
    for seed in range(1000):
        compare(kinds[seed % len(kinds)], seed, tmp_path / str(seed))
