"""A zip of a set: read as it is, once; what would leave the cache or fill the disk is refused."""

from __future__ import annotations

import os
import stat
import zipfile

import pytest

from edgectl.data.catalog.opening import open_dataset
from edgectl.errors import DataError

from .exports.scenes import make_scenes
from .exports.writers import WRITERS


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets" / "unpacked"


def opened(path):
    return open_dataset(path, infos=[], offline=True)


def test_it_is_unpacked_once(tmp_path, cache):
    path = WRITERS["zip"](tmp_path, *make_scenes(5))
    index = opened(path)
    assert index.name == "set"
    (place,) = cache.iterdir()
    marks = [p.stat().st_mtime_ns for p in sorted(place.rglob("*"))]
    assert opened(path).files() == index.files()
    assert [p.stat().st_mtime_ns for p in sorted(place.rglob("*"))] == marks
    os.utime(path, (1, 1))
    opened(path)
    assert len(list(cache.iterdir())) == 2, "another archive of that name is another set"


def add(path, name, data=b"x", mode=0o644):
    with zipfile.ZipFile(path, "a") as z:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        z.writestr(entry, data)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("../../out.txt", 0o644),
        ("/out.txt", 0o644),
        ("..\\..\\out.txt", 0o644),
        ("set/link", stat.S_IFLNK | 0o777),
    ],
)
def test_what_would_leave_it_is_refused(tmp_path, cache, name, mode):
    path = WRITERS["zip"](tmp_path, *make_scenes(5))
    add(path, name, b"/etc", mode)
    with pytest.raises(DataError, match="unsafe entry") as e:
        opened(path)
    assert e.value.fix
    assert not list(cache.glob("*")) and not list(tmp_path.glob("**/out.txt"))


def test_a_bomb_is_refused(tmp_path, cache, monkeypatch):
    from edgectl.data.catalog import archive

    path = WRITERS["zip"](tmp_path, *make_scenes(5))
    add(path, "set/zeros.bin", bytes(64 << 20))
    monkeypatch.setattr(archive, "_ROOM", 1 << 20)
    monkeypatch.setattr(archive, "_RATIO", 20)
    with pytest.raises(DataError, match="unpacks to over"):
        opened(path)
    assert not list(cache.glob("*"))


@pytest.mark.parametrize("cut", [0, 10, 200, -30])
def test_what_is_no_archive_is_one_error(tmp_path, cut):
    path = WRITERS["zip"](tmp_path, *make_scenes(5))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="not a zip"):
        opened(path)
