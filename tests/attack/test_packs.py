"""A pack that was cut short or altered is one line: mapped, it would end the process."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from edgectl.data.catalog.demo import draw_split
from edgectl.data.formats import read_dataset
from edgectl.data.formats.pack import write_pack
from edgectl.data.images.storage import close, read_bytes
from edgectl.errors import DataError


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    place = tmp_path_factory.mktemp("packs")
    draw_split(place / "set" / "train", 40, (0, 0))
    write_pack(read_dataset(place / "set"), place / "set.lmdb")
    close(place / "set.lmdb")
    return place / "set.lmdb"


def survives(path) -> int:
    """Exit code of a process of its own that reads all of it: 5 where it refuses, 0 where it is sound."""
    child = os.fork()
    if not child:
        code = 99
        try:
            for samples in read_dataset(path).splits.values():
                for sample in samples:
                    read_bytes(sample.path)
            code = 0
        except DataError:
            code = 5
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def copy_of(pack, place, *, stated: bool):
    target = place / "set.lmdb"
    target.mkdir()
    for name in ("data.mdb", "pack.json")[: 1 + stated]:
        (target / name).write_bytes((pack / name).read_bytes())
    return target


@pytest.mark.parametrize("stated", [True, False], ids=["stated", "of an older version"])
def test_cut_short(pack, tmp_path, stated, record_property):
    record_property("tried", 21)
    size = (pack / "data.mdb").stat().st_size
    rng = np.random.default_rng(0)
    for i, length in enumerate([0, 1, 100, 4096, 8191, size - 1, *rng.integers(0, size, 14)]):
        (place := tmp_path / str(i)).mkdir()
        target = copy_of(pack, place, stated=stated)
        os.truncate(target / "data.mdb", int(length))
        assert survives(target) == 5, length
    (whole := tmp_path / "whole").mkdir()
    assert survives(copy_of(pack, whole, stated=stated)) == 0


def test_altered(pack, tmp_path, record_property):
    record_property("tried", 40)
    rng = np.random.default_rng(0)
    data = (pack / "data.mdb").read_bytes()
    for i in range(40):
        (place := tmp_path / str(i)).mkdir()
        target = copy_of(pack, place, stated=True)
        at = int(rng.integers(0, len(data) if i % 2 else 8192))
        (target / "data.mdb").write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        assert survives(target) == 5


@pytest.mark.parametrize("text", ["", "[]", "{", '{"bytes": "x"}', '{"bytes": 1e99}', "[" * 9000])
def test_a_statement_may_hold_anything(pack, tmp_path, text):
    target = copy_of(pack, tmp_path, stated=True)
    (target / "pack.json").write_text(text)
    assert survives(target) == 5


def test_a_class_name_stands_in_one_line(tmp_path):
    for i, name in enumerate(["a\nb", "\x1b[31mred", "a\u2028b", "\x07"]):
        folder = tmp_path / str(i)
        draw_split(folder / "train", 4, (0, 0))
        file = next(folder.rglob("*.json"))
        document = json.loads(file.read_text())
        document["categories"][-1]["name"] = name
        file.write_text(json.dumps(document))
        with pytest.raises(DataError, match="control characters"):
            read_dataset(folder)
