from __future__ import annotations

import hashlib
import http.server
import io
import stat
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from edgectl.data.catalog import download
from edgectl.data.catalog import opening as catalog
from edgectl.data.catalog.demo import draw_split
from edgectl.data.catalog.download import fetch_archive, unpack
from edgectl.data.catalog.opening import cache_root, open_dataset
from edgectl.data.catalog.plugin import edgectl_register_datasets
from edgectl.errors import DataError, EdgectlError, UnknownNameError
from edgectl.plugins.info import DatasetInfo

INFOS = edgectl_register_datasets()


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine: no sets anywhere, and a cache of its own."""
    monkeypatch.setenv("EDGECTL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("EDGECTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draw_little(directory: Path, seed: int) -> None:
    """A generator for the tests' catalog."""
    draw_split(directory / "train", 2, (seed,))


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> DatasetInfo:
    monkeypatch.setitem(sys.modules, "little_set", sys.modules[__name__])
    return DatasetInfo("little", "two images", "none", generate="little_set:draw_little")


def test_builtin_sets() -> None:
    by_name = {i.name: i for i in INFOS}
    assert by_name["coco_mask"].url and by_name["coco_mask"].directories == ("coco_mask", "mask")
    assert by_name["demo_mask"].generate == "edgectl.data.catalog.demo:generate"


def test_generated_once_then_found(little: DatasetInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    index = open_dataset("little", infos=[little], offline=True)
    assert index.name == "little" and len(index.splits["train"]) == 2
    assert index.root == cache_root() / "little"
    assert [p.name for p in cache_root().iterdir()] == ["little"], "no temporary files"
    monkeypatch.setattr(catalog, "_generate", pytest.fail)
    again = open_dataset("little", infos=[little], offline=True)
    assert again.fingerprint("train") == index.fingerprint("train")


def test_failed_generation_leaves_nothing(
    little: DatasetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(directory: Path, seed: int) -> None:
        (directory / "half").write_text("")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys.modules["little_set"], "draw_little", fail)
    with pytest.raises(EdgectlError, match="No space") as e:
        open_dataset("little", infos=[little], offline=True)
    assert "EDGECTL_CACHE" in str(e.value.fix)
    assert not list(cache_root().glob("*"))


def test_search_order(little: DatasetInfo, nowhere: Path) -> None:
    for place in ("data", "datasets", "cache/datasets"):
        draw_split(nowhere / place / "little" / "train", 1, (0,))
    for place in ("data", "datasets", "cache/datasets"):
        index = open_dataset("little", infos=[little], offline=True)
        assert index.root.resolve() == nowhere / place / "little"
        (nowhere / place).rename(nowhere / f"was-{place.replace('/', '-')}")


def test_a_local_directory_by_its_bare_name(nowhere: Path) -> None:
    draw_split(nowhere / "data" / "own" / "train", 1, (0,))
    assert open_dataset("own", infos=INFOS, offline=True).name == "own"


def test_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownNameError, match="coco_msk") as e:
        open_dataset("coco_msk", infos=INFOS, offline=True)
    assert "coco_mask" in str(e.value.fix)


@pytest.mark.parametrize("name", ["./absent", "some/where", "labels.json"])
def test_absent_path_is_bad_data(name: str) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_dataset(name, infos=INFOS, offline=True)


def test_offline_never_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "fetch_archive", pytest.fail)
    with pytest.raises(DataError, match="offline") as e:
        open_dataset("coco_mask", infos=INFOS, offline=True)
    assert "datasets/coco_mask" in str(e.value.fix)


def zipped(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in entries.items():
            z.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """What the network answers from now on."""

    def answer(content: bytes) -> None:
        class Answer(io.BytesIO):
            headers: ClassVar[dict[str, str]] = {}
            status = 200

        def urlopen(*_: Any, **__: Any) -> Answer:
            return Answer(content)

        monkeypatch.setattr(download.urllib.request, "urlopen", urlopen)

    return answer


def test_download_unpacks_and_records(
    nowhere: Path, serve: Callable[[bytes], None], write_split: Any, document: Any
) -> None:
    write_split(nowhere / "made" / "train", document([[1, 1, 9, 9]]))
    files = {f"mask/train/{p.name}": p.read_bytes() for p in (nowhere / "made/train").iterdir()}
    archive = zipped({**files, "__MACOSX/rubbish": b""})
    serve(archive)
    index = open_dataset("coco_mask", infos=INFOS, offline=False)
    assert index.root == cache_root() / "coco_mask" and len(index.splits["train"]) == 1
    record = cache_root() / "coco_mask.sha256"
    assert record.read_text().strip() == hashlib.sha256(archive).hexdigest()
    assert {p.name for p in cache_root().iterdir()} == {"coco_mask", "coco_mask.sha256"}


def test_another_archive_than_before_is_refused(
    tmp_path: Path, serve: Callable[[bytes], None]
) -> None:
    serve(zipped({"a": b"1"}))
    fetch_archive("https://example.org/a.zip", tmp_path / "one" / "set")
    (tmp_path / "one" / "set").rename(tmp_path / "moved")
    serve(zipped({"a": b"2"}))
    with pytest.raises(DataError, match="sha256") as e:
        fetch_archive("https://example.org/a.zip", tmp_path / "one" / "set")
    assert "set.sha256" in str(e.value.fix)
    assert not (tmp_path / "one" / "set").exists()


def test_bad_download_leaves_nothing(tmp_path: Path, serve: Callable[[bytes], None]) -> None:
    serve(zipped({"a": b"1" * 1000})[:-40])
    with pytest.raises(DataError, match="not a zip archive"):
        fetch_archive("https://example.org/a.zip", tmp_path / "one" / "set")
    assert not list((tmp_path / "one").glob("*")), "not even the checksum of a broken archive"


def test_no_network_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be downloaded"):
        # nothing listens on the discard port
        fetch_archive("http://127.0.0.1:9/a.zip", tmp_path / "set")


@pytest.fixture
def server() -> Iterator[SimpleNamespace]:
    """A server that breaks off after ``state.limit`` bytes and can continue."""
    state = SimpleNamespace(content=b"", limit=None, ranges=[])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            first = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            if first >= len(state.content):
                self.send_error(416)
                return
            rest = state.content[first:]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
            self.wfile.write(rest[: state.limit])

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{listener.server_port}/set.zip"
    yield state
    listener.shutdown()


def test_a_download_broken_off_is_continued(tmp_path: Path, server: SimpleNamespace) -> None:
    server.content = zipped({"set/a.txt": bytes(range(256)) * 40})
    server.limit = 100
    with pytest.raises(DataError, match="cannot be downloaded"):
        fetch_archive(server.url, tmp_path / "set")
    assert (tmp_path / ".set.part").stat().st_size == 100
    server.limit = None
    fetch_archive(server.url, tmp_path / "set")
    assert server.ranges == [None, "bytes=100-"]
    assert (tmp_path / "set" / "a.txt").read_bytes() == bytes(range(256)) * 40
    assert not (tmp_path / ".set.part").exists()


def test_a_download_says_how_far_it_is(
    tmp_path: Path, server: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.content = zipped({"set/a.txt": bytes(range(256)) * 40})
    monkeypatch.setattr(download, "_TELL_BYTES", 1)
    said: list[str] = []
    fetch_archive(server.url, tmp_path / "set", said.append)
    assert said
    assert said[-1].endswith("MB of set.part")


def test_what_is_left_of_another_file_is_fetched_again(
    tmp_path: Path, server: SimpleNamespace
) -> None:
    server.content = zipped({"set/a.txt": b"1"})
    (tmp_path / ".set.part").write_bytes(b"x" * (len(server.content) + 5))
    fetch_archive(server.url, tmp_path / "set")
    assert (tmp_path / "set" / "a.txt").read_bytes() == b"1"


def symlink_entry(name: str, target: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        info = zipfile.ZipInfo(name)
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        z.writestr(info, target)
        z.writestr(f"{name}/passwd", b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "archive",
    [
        zipped({"../evil": b"x"}),
        zipped({"fine": b"x", "a/../../evil": b"x"}),
        zipped({"/tmp/evil": b"x"}),
        symlink_entry("link", "/etc"),
    ],
    ids=["parent", "hidden parent", "absolute", "symlink"],
)
def test_unsafe_archives_are_refused(archive: bytes, tmp_path: Path) -> None:
    path = tmp_path / "in" / "a.zip"
    path.parent.mkdir()
    path.write_bytes(archive)
    with pytest.raises(DataError, match="unsafe entry"):
        unpack(path, tmp_path / "in" / "out")
    assert {p.name for p in tmp_path.rglob("*")} == {"in", "a.zip"}


def test_bombs_are_refused_even_when_they_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    honest = zipped({"zeros": bytes(100_000)})
    path.write_bytes(honest)
    with pytest.raises(DataError, match="over 5000 bytes"):
        unpack(path, tmp_path / "out", limit=5000)
    size = (100_000).to_bytes(4, "little")
    assert honest.count(size) == 2
    path.write_bytes(honest.replace(size, (10).to_bytes(4, "little")))
    with pytest.raises(DataError):
        unpack(path, tmp_path / "out", limit=5000)
    assert not (tmp_path / "out").exists()
