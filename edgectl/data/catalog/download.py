"""Archives from the network: to a temporary name, checked, unpacked safely, then renamed."""

from __future__ import annotations

import http.client
import shutil
import stat
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path
from typing import Any

from edgectl.errors import DataError
from edgectl.files import directory_beside, sha256_of
from edgectl.spec import Progress

_TIMEOUT_S = 60.0
_CHUNK = 1 << 20
_TELL_BYTES = 10_000_000
_PARTIAL, _NOTHING_LEFT = 206, 416
_LIMIT_BYTES = 20 << 30
"""An archive that unpacks to more is taken for a bomb."""
_MOST_MEMBERS = 5_000_000
_FIX = "do not use this archive"


def fetch_archive(url: str, target: Path, say: Progress = lambda _: None) -> None:
    """Downloads a zip and unpacks it to ``target``, a directory that does not exist yet.

    The sha256 is recorded beside the target on first use and must be the same ever after.

    Raises:
        DataError: no answer, another checksum, or an archive that is not safe.
    """
    with directory_beside(target) as tmp:
        archive = target.with_name(f".{target.name}.part")
        digest = _download(url, archive, say)
        record = target.with_name(target.name + ".sha256")
        try:
            _check_recorded(record, digest, url)
            unpack(archive, tmp / "unpacked")
        except DataError:
            archive.unlink()  # whole, and no good: nothing to continue
            raise
        # most archives hold one directory named after the set; macOS adds one of its own
        inner = [p for p in (tmp / "unpacked").iterdir() if p.name != "__MACOSX"]
        source = inner[0] if len(inner) == 1 and inner[0].is_dir() else tmp / "unpacked"
        source.rename(target)
        archive.unlink()
        record.write_text(digest + "\n", encoding="ascii")


def _download(url: str, path: Path, say: Progress) -> str:
    """sha256 of what lies at ``path`` in the end. What an earlier attempt left there is continued, where
    the server can; it stays there when the connection breaks."""
    there = path.stat().st_size if path.is_file() else 0
    request = urllib.request.Request(url)  # noqa: S310 - addresses of the catalog
    if there:
        request.add_header("Range", f"bytes={there}-")
    try:
        with _opened(request, path) as response:
            continued = getattr(response, "status", None) == _PARTIAL
            with path.open("ab" if continued else "wb") as out:
                size = there if continued else 0
                left = response.headers.get("Content-Length")
                total = f" of {(size + int(left)) / 1e6:.0f}" if left is not None else ""
                told = size
                while chunk := response.read(_CHUNK):
                    size += len(chunk)
                    if size > _LIMIT_BYTES:
                        raise DataError(f"over {_LIMIT_BYTES} bytes", where=url, fix=_FIX)
                    out.write(chunk)
                    if size - told >= _TELL_BYTES:
                        told = size
                        say(f"{size / 1e6:.0f}{total} MB of {path.name.strip('.')}")
        if left is not None and size - (there if continued else 0) < int(left):
            raise http.client.IncompleteRead(b"", int(left))
    except (urllib.error.URLError, http.client.HTTPException, OSError) as e:
        raise DataError(
            f"cannot be downloaded: {e}", where=url, fix="check the network, or unpack it by hand"
        ) from e
    return sha256_of(path)


def _opened(request: urllib.request.Request, path: Path) -> Any:
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310 - catalog
    except urllib.error.HTTPError as e:
        if e.code != _NOTHING_LEFT:
            raise
        # all of it was there, or the file on the server is another one: from the start
        path.unlink()
        return urllib.request.urlopen(request.full_url, timeout=_TIMEOUT_S)  # noqa: S310


def _check_recorded(record: Path, digest: str, url: str) -> None:
    if record.is_file() and record.read_text(encoding="ascii").strip() != digest:
        raise DataError(
            "the archive is not the one downloaded before: its sha256 differs",
            where=url,
            fix=f"if you trust it, delete {record}",
        )


def unpack(archive: Path, target: Path, *, limit: int = _LIMIT_BYTES, fix: str = _FIX) -> None:
    """Unpacks a zip. Refuses absolute and parent paths, links, and more than ``limit`` bytes.

    Raises:
        DataError: an unsafe or damaged archive; nothing is left in ``target``.
    """
    where = str(archive)
    try:
        with zipfile.ZipFile(archive) as z:
            members = [(m, target / m.filename.replace("\\", "/")) for m in z.infolist()]
            if sum(m.file_size for m, _ in members) > limit or len(members) > _MOST_MEMBERS:
                raise DataError(f"unpacks to over {limit} bytes", where=where, fix=fix)
            for m, path in members:
                link = stat.S_ISLNK(m.external_attr >> 16)
                if link or not path.resolve().is_relative_to(target.resolve()):
                    raise DataError(f"unsafe entry '{m.filename}'", where=where, fix=fix)
            target.mkdir(parents=True)
            _write_members(
                z, members, limit, DataError(f"unpacks to over {limit} bytes", where=where, fix=fix)
            )
    except (
        zipfile.BadZipFile,
        EOFError,
        RuntimeError,
        NotImplementedError,
        zlib.error,
        ValueError,
    ) as e:
        shutil.rmtree(target, ignore_errors=True)
        raise DataError(f"not a zip archive that can be read: {e}", where=where, fix=fix) from e
    except (DataError, OSError):
        shutil.rmtree(target, ignore_errors=True)
        raise


def _write_members(
    z: zipfile.ZipFile,
    members: list[tuple[zipfile.ZipInfo, Path]],
    limit: int,
    over: DataError,
) -> None:
    """Raises ``over`` beyond ``limit``: sizes in the directory may lie, so what comes out is counted."""
    written = 0
    for m, path in members:
        if m.is_dir() or m.filename.endswith("\\"):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with z.open(m) as source, path.open("wb") as out:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > limit:
                    raise over
                out.write(chunk)
