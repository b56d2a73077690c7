from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgectl.errors import ArtifactError, UsageError
from edgectl.runs.locate import resolve_model
from edgectl.runs.rundir import create_run, keep_if_resumable, latest_run, pointed_at


def test_numbers_count_up_a_family(tmp_path: Path) -> None:
    names = [create_run(f, root=tmp_path).path.name for f in ("fomo", "fomo", "fcos", "fomo")]
    assert names == ["fomo-001", "fomo-002", "fcos-001", "fomo-003"]
    (tmp_path / "train" / "fomo-041").mkdir()
    assert create_run("fomo", root=tmp_path).path.name == "fomo-042"
    assert latest_run(tmp_path).path == tmp_path / "train" / "fomo-042"


def test_runs_started_at_once_never_share_a_directory(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: create_run("fomo", root=tmp_path).path, range(40)))
    assert len(set(runs)) == 40
    assert latest_run(tmp_path).path in runs


def test_names(tmp_path: Path) -> None:
    assert create_run("fomo", name="my.run", root=tmp_path).path.name == "my.run"
    with pytest.raises(UsageError, match="exists"):
        create_run("fomo", name="my.run", root=tmp_path)
    for bad in ("../up", "a/b", ".hidden", "a b"):
        with pytest.raises(UsageError, match="cannot name"):
            create_run("fomo", name=bad, root=tmp_path)


def test_resolve_model(tmp_path: Path) -> None:
    run = create_run("fomo", root=tmp_path)
    with pytest.raises(ArtifactError, match="no checkpoint"):
        resolve_model(None, root=tmp_path)
    run.last.write_bytes(b"")
    assert resolve_model(None, root=tmp_path).path == run.last
    run.best.write_bytes(b"")
    found = resolve_model(run.path, root=tmp_path)
    assert (found.kind, found.path, found.run) == ("run", run.best, run)

    found = resolve_model(run.last)
    assert found.kind == "checkpoint" and found.run is not None
    assert found.run.path == run.path.resolve()

    artifact = run.path / "export" / "tflite-int8"
    artifact.mkdir(parents=True)
    (artifact / "manifest.json").write_text("{}")
    (artifact / "model.tflite").write_bytes(b"")
    for given in (artifact, artifact / "model.tflite"):
        found = resolve_model(given)
        assert (found.kind, found.path) == ("artifact", artifact)
        assert found.run is not None and found.run.path == run.path.resolve()

    bare = tmp_path / "bare.tflite"
    bare.write_bytes(b"")
    assert (resolve_model(bare).kind, resolve_model(bare).run) == ("file", None)


def test_resolve_model_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run yet"):
        resolve_model(None, root=tmp_path)
    with pytest.raises(UsageError, match="no such file"):
        resolve_model(tmp_path / "x.pt")
    with pytest.raises(UsageError, match="neither a run"):
        resolve_model(tmp_path)
    create_run("fomo", root=tmp_path).path.rename(tmp_path / "moved")
    with pytest.raises(UsageError, match="deleted"):
        resolve_model(None, root=tmp_path)


def test_the_pointer_to_the_latest_run_is_a_model_like_its_run(tmp_path):
    run = create_run("a", root=tmp_path)
    run.last.parent.mkdir(exist_ok=True)
    run.last.write_bytes(b"x")
    assert resolve_model(tmp_path / "latest").path == run.last
    assert resolve_model(tmp_path / "latest").kind == "run"
    inside = resolve_model(tmp_path / "latest" / "checkpoints" / "last.pt")
    assert (inside.kind, inside.path) == ("checkpoint", run.last)
    with pytest.raises(UsageError, match="no such file"):
        resolve_model(tmp_path / "latest" / "checkpoints" / "other.pt")


def test_a_run_that_ends_before_its_first_checkpoint_leaves_the_one_before_as_latest(tmp_path):
    def begin(error: BaseException | None, *, checkpoint: bool = False) -> None:
        previous = pointed_at(tmp_path)
        run = create_run("fomo", root=tmp_path)
        with keep_if_resumable(run, previous, root=tmp_path):
            if checkpoint:
                run.last.write_bytes(b"x")
            if error is not None:
                raise error

    with pytest.raises(OSError, match="full"):
        begin(OSError("full"))
    assert pointed_at(tmp_path) is None and not list((tmp_path / "train").iterdir())
    begin(None, checkpoint=True)
    good = latest_run(tmp_path).path
    with pytest.raises(KeyboardInterrupt):
        begin(KeyboardInterrupt())
    assert latest_run(tmp_path).path == good
    with pytest.raises(KeyboardInterrupt):
        begin(KeyboardInterrupt(), checkpoint=True)
    assert latest_run(tmp_path).path != good, "it can be resumed"


def test_a_run_begun_meanwhile_stays_latest(tmp_path):
    run = create_run("fomo", root=tmp_path)
    with pytest.raises(OSError), keep_if_resumable(run, None, root=tmp_path):
        other = create_run("fomo", root=tmp_path)
        raise OSError
    assert latest_run(tmp_path).path == other.path
