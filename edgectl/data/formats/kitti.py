"""KITTI's object labels: a text file an image, ``type truncated occluded alpha x0 y0 x1 y1 ...``.

Format: https://www.cvlibs.net/datasets/kitti/eval_object.php. Labels lie in ``label_2`` or ``labels``,
images in ``image_2`` or ``images``. Regions called ``DontCare`` are neither target nor background.
"""

from __future__ import annotations

from pathlib import Path

from edgectl.data.formats.reading.assemble import FIX, StatedImage, assemble, to_number
from edgectl.data.formats.reading.classes_file import read_classes
from edgectl.data.formats.reading.finder import ImageFinder
from edgectl.data.formats.reading.splits import is_split, split_name
from edgectl.data.formats.reading.walking import files_below, files_in, folder_called, folders_in
from edgectl.data.formats.tolerance import refuse
from edgectl.data.index import DatasetIndex, Repair
from edgectl.errors import DataError

_DONT_CARE = "DontCare"
_FIELDS = (15, 16)
_LABELS = ("label_2", "labels", "label")
_IMAGES = ("image_2", "images", "image")


def _parts(root: Path) -> list[tuple[str, Path, Path]]:
    """(split, labels, images)."""
    found = []
    for place in (root, *folders_in(root)):
        labels, images = folder_called(place, *_LABELS), folder_called(place, *_IMAGES)
        if labels is not None and images is not None and _is_label(labels):
            named = place != root and is_split(place.name)
            found.append((split_name(place.name) if named else "train", labels, images))
    return found


def _is_label(folder: Path) -> bool:
    """One of the first files begins with a word and as many numbers as KITTI has."""
    for file in files_in(folder, ".txt")[:8]:
        with file.open(encoding="utf-8", errors="replace") as f:
            words = f.readline(4096).split()
        if len(words) in _FIELDS and not words[0].replace(".", "").isdigit():
            return True
    return False


def is_kitti(root: Path) -> bool:
    """Looks at one line."""
    return root.is_dir() and bool(_parts(root))


def read_kitti(root: Path) -> DatasetIndex:
    """Raises DataError: lines that are no labels, absent images."""
    repairs: list[Repair] = []
    stated: list[StatedImage] = []
    finder = ImageFinder(root)
    for split, labels, images in _parts(root):
        for file in files_below(labels):
            if file.suffix == ".txt":
                name = file.relative_to(labels).with_suffix("").as_posix()
                image = StatedImage(name, split, file, (images,))
                image.path = finder.image_of_stem(name, [images])
                _read(image, file, repairs)
                stated.append(image)
    names = {n for i in stated for n in i.names} - {_DONT_CARE}
    classes = read_classes(root, names)
    for image in stated:
        # it needs some class to be kept as a crowd region
        image.names = [classes[0] if n == _DONT_CARE and classes else n for n in image.names]
    return assemble(root, "kitti", stated, classes=classes, repairs=repairs, finder=finder)


def _read(image: StatedImage, file: Path, repairs: list[Repair]) -> None:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"cannot be read: {e}", where=str(file), fix=FIX) from e
    for number, line in enumerate(lines, start=1):
        words = line.split()
        where = f"{file}:{number}"
        try:
            if words and len(words) not in _FIELDS:
                raise DataError(f"not a line of KITTI: {line[:60]}", where=where, fix=FIX)
            if words:
                x0, y0, x1, y1 = (to_number(w, "a corner", where) for w in words[4:8])
                image.add((x0, y0, x1, y1), words[0], words[0] == _DONT_CARE)
        except DataError as e:
            refuse(e, repairs, "not_a_box", file.name, lost=1, split=image.split)
