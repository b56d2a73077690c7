"""A disk that fills up while files are made: nothing is left, and what was there stays."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from edgectl.cli.app import run


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file may grow beyond; writing more is an OSError, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_nothing_half_made_is_left(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for words in (
        ["init", "a/b"],
        ["init", "empty"],
        ["plugins", "new", "sapling", "--kind", "family"],
        ["plugins", "new", "sapling", "--kind", "family", "--out", "empty"],
    ):
        with files_up_to(500):
            code = run(words)
        error = capsys.readouterr().err
        assert code == 1 and "File too large" in error and "fix:" in error
        assert [p.name for p in tmp_path.rglob("*")] == ["empty"]
    assert run(["init", "a/b"]) == 0
