"""Label formats written. A new built-in one is a new entry of :data:`WRITERS`; plugins register theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from edgectl.data.formats import coco, folder, table, voc, yolo
from edgectl.data.formats.image_copies import ImageCopies
from edgectl.data.formats.roundtrip import require_same
from edgectl.data.index import DatasetIndex
from edgectl.errors import DataError, UnknownNameError
from edgectl.files import staged
from edgectl.plugins.registry import installed, load_named


@dataclass(frozen=True)
class Writer:
    """``write`` fills an empty directory, images included. ``crowd``: it keeps crowd regions."""

    name: str
    write: Callable[[DatasetIndex, Path, ImageCopies], None]
    crowd: bool = True


WRITERS: tuple[Writer, ...] = (
    Writer("coco-2017", coco.write_coco2017),
    Writer("coco-roboflow", coco.write_roboflow),
    Writer("voc", voc.write_voc),
    Writer("yolo", yolo.write_yolo, crowd=False),
    Writer("csv", table.write_csv),
    Writer("folder", folder.write_folder),
)
ALIASES = {"coco": "coco-2017"}


def writer_names() -> list[str]:
    """Every format that is written, those of plugins last."""
    own = [w.name for w in WRITERS]
    return own + [i.name for i in installed().formats.infos() if i.writer and i.name not in own]


def find_writer(name: str) -> Writer | None:
    """None for a format nobody writes. Raises PluginError where a plugin's code cannot be imported."""
    for offer in installed().formats.claims(name):
        if offer.info.writer:
            found: Writer = load_named(offer.info.writer, name, offer.plugin.name)
            return found
    return None


def write_dataset(
    index: DatasetIndex, directory: Path, fmt: str, seen: Callable[[], None] = lambda: None
) -> None:
    """Writes the set, labels and copies of the images; the directory appears when it is complete
    and read back as the same. Splits without images are left out, and so are classes that a
    folder of each has no image of. ``seen`` is called once an image.

    Raises:
        UnknownNameError: a format nobody writes.
        DataError: ``directory`` is there already, or the format cannot hold these labels.
        EdgectlError: it cannot be written.
    """
    name = ALIASES.get(fmt, fmt)
    chosen = find_writer(name)
    if chosen is None:
        raise UnknownNameError("data format", fmt, [*writer_names(), *ALIASES])
    of_images = any(s.image_label is not None for v in index.splits.values() for s in v)
    if of_images != (name == "folder"):
        raise DataError(
            "labels of whole images go into folders, boxes into the other formats",
            where=f"--to {fmt}",
            fix="--to folder" if of_images else "--to coco, voc, yolo or csv",
        )
    index = replace(index, splits={k: v for k, v in index.splits.items() if v})
    if of_images:
        occurring = index.occurring()
        index = index.restricted([c for c in index.classes if c in occurring])
    for written in (*index.splits, *(index.classes if of_images else ())):
        if Path(written).name != written or written in ("", "..") or "\0" in written:
            raise DataError(f"'{written}' cannot be a directory's name", fix="rename it")
    copies = ImageCopies(seen)
    with staged(directory) as place:
        try:
            chosen.write(index, place, copies)
        except UnicodeEncodeError as e:
            raise DataError(
                f"'{ascii(e.object)[1:-1][:80]}' is not text that {name} can hold",
                fix="rename the class or image",
            ) from e
        require_same(index, place, name, copies.origins, crowd=chosen.crowd)
