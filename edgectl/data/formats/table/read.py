"""A table becomes samples."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from edgectl.data.formats.reading.assemble import FIX, StatedImage, assemble, to_number
from edgectl.data.formats.reading.finder import ImageFinder
from edgectl.data.formats.reading.splits import is_split, split_name, split_of_stem
from edgectl.data.formats.reading.walking import files_in, folder_called, folders_in
from edgectl.data.formats.table.columns import COLUMNS, Columns, guess_columns, missing_columns
from edgectl.data.index import IMAGE_SUFFIXES, DatasetIndex, Repair
from edgectl.errors import DataError

FILES = ("annotations.csv", "_annotations.csv", "labels.csv")
_ONLY_CLASS = "object"
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
csv.field_size_limit(1 << 24)


def tables_of(path: Path) -> dict[str, list[Path]]:
    """Split (empty: the file's own column says) to CSV files."""
    if path.is_file():
        return {"": [path]} if path.suffix.lower() == ".csv" else {}
    for name in FILES:
        if (path / name).is_file():
            return {"": [path / name]}
    found: dict[str, list[Path]] = {}
    for folder in folders_in(path):
        for name in FILES:
            if (folder / name).is_file():
                found.setdefault(split_name(folder.name), []).append(folder / name)
    return found or _other_tables(path)


def _other_tables(path: Path) -> dict[str, list[Path]]:
    """Find tables of any name with columns that say image and box, called after their split."""
    if not path.is_dir():
        return {}
    annotations = folder_called(path, "annotations", "labels")
    for folder in (path, annotations):
        found: dict[str, list[Path]] = {}
        for file in files_in(folder, ".csv") if folder is not None else []:
            if guess_columns(_header(file)) is not None:
                found.setdefault(split_of_stem(file.stem) or "", []).append(file)
        if found:
            return found
    return {}


def _header(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as f:
            return next(csv.reader([f.readline(1 << 16)]), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return []


def read_csv(path: Path) -> DatasetIndex:
    """Without a column or file name that says so, everything is *train*.

    Raises:
        DataError: missing columns, numbers that are none, absent images.
    """
    root = path if path.is_dir() else path.parent
    repairs: list[Repair] = []
    stated: list[StatedImage] = []
    finder = ImageFinder(root)
    for split, files in tables_of(path).items():
        for file in files:
            stated += _Table(file, root, split, finder, repairs).images()
    if not any(s.names for s in stated) and not (root / "classes.txt").is_file():
        raise DataError("no boxes in any line", where=str(path), fix=FIX)
    return assemble(root, "csv", stated, repairs=repairs, finder=finder)


@dataclass
class _Table:
    file: Path
    root: Path
    split: str
    finder: ImageFinder
    repairs: list[Repair]

    def images(self) -> list[StatedImage]:
        """Each image once, with the boxes of all its lines."""
        header, rows = self._rows()
        columns = guess_columns(header)
        if columns is None or (self.file.name in FILES and columns.scheme == "list"):
            missing = missing_columns(header)
            raise DataError(
                f"no column {', '.join(missing) or 'of a box'}",
                where=str(self.file),
                fix=f"columns: {','.join(COLUMNS)}",
            )
        if missing_columns(header):
            detail = f"columns taken for: {columns.shown()}"
            self.repairs.append(Repair("columns", self.file.name, detail))
        scheme = columns.scheme if columns.scheme != "list" else self._scheme_of_list(columns, rows)
        relative = self._is_relative(columns, rows)
        found: dict[str, StatedImage] = {}
        for row in rows:
            name = row[columns.image]
            if name not in found:
                found[name] = self._image(row, columns, relative)
            self._add(found[name], row, columns, scheme)
        return list(found.values())

    def _rows(self) -> tuple[list[str], list[dict[str, str]]]:
        try:
            with self.file.open(encoding="utf-8-sig", newline="") as f:
                # strict: a stray quote would swallow the lines after it
                reader = csv.DictReader(f, strict=True)
                header = list(reader.fieldnames or ())
                rows = []
                for row in reader:
                    if None in row or None in row.values():
                        raise csv.Error(f"line {reader.line_num} has not {len(header)} fields")
                    rows.append({k: v.strip() for k, v in row.items()})
                return header, rows
        except (OSError, UnicodeDecodeError, csv.Error) as e:
            raise DataError(f"not CSV: {e}", where=str(self.file), fix=FIX) from e

    def _image(self, row: dict[str, str], columns: Columns, relative: bool) -> StatedImage:
        name, file = row[columns.image], self.file
        stated = row.get(columns.split, "") if columns.split else ""
        split = self.split or split_name(stated or "train")
        folders = [file.parent, file.parent / "images"]
        folders += [p for p in folders_in(self.root) if is_split(p.name.split("_")[0])]
        size = None
        if columns.width and columns.height and row[columns.width]:
            width, height = (
                int(to_number(row[c], c, str(file))) for c in (columns.width, columns.height)
            )
            size = (width, height)
        image = StatedImage(name, split, file, folders, size, relative=relative)
        if Path(name).suffix.lower() not in IMAGE_SUFFIXES and name:
            image.path = self.finder.image_of_stem(name, self._own_first(folders, split))
        return image

    def _own_first(self, folders: list[Path], split: str) -> list[Path]:
        """The split's own folder before the others: numbers start anew in each."""
        own = [p for p in folders if split_of_stem(p.name) == split]
        return [*own, *folders[1:2], folders[0]]

    def _add(self, image: StatedImage, row: dict[str, str], columns: Columns, scheme: str) -> None:
        name = row[columns.name] if columns.name else _ONLY_CLASS
        values = [row.get(c, "") for c in columns.box]
        if not name or not any(values):
            if (name and columns.name) or any(values):
                self._refuse_half(row)
            return
        where = str(self.file)
        if columns.scheme == "list":
            numbers = _four(values[0], where)
        else:
            a, b, c, d = (to_number(v, k, where) for v, k in zip(values, columns.box, strict=True))
            numbers = (a, b, c, d)
        image.ordered |= scheme != "corners"
        image.add(_corners(numbers, scheme), name, row.get("crowd", "") == "1")

    def _refuse_half(self, row: dict[str, str]) -> None:
        shown = ",".join(row.values())[:80]
        raise DataError(
            f"a box without class, or without box: {shown}", where=str(self.file), fix=FIX
        )

    def _scheme_of_list(self, columns: Columns, rows: list[dict[str, str]]) -> str:
        """Whether four numbers in one column are a corner and a size, or two corners."""
        boxes = [_four(row[columns.box[0]], str(self.file)) for row in rows if row[columns.box[0]]]
        corners = all(x1 > x0 and y1 > y0 for x0, y0, x1, y1 in boxes)
        sizes = all(w > 0 and h > 0 for _, _, w, h in boxes)
        if columns.width and columns.height:
            limits = [
                (
                    to_number(r[columns.width], "width", ""),
                    to_number(r[columns.height], "height", ""),
                )
                for r in rows
                if r[columns.box[0]]
            ]
            sizes = sizes and all(
                x + w <= W + 1 and y + h <= H + 1
                for (x, y, w, h), (W, H) in zip(boxes, limits, strict=True)
            )
        if corners == sizes and boxes:
            raise DataError(
                f"four numbers in '{columns.box[0]}': two corners, or a corner and a size?",
                where=str(self.file),
                fix=f"give them columns of their own: {','.join(COLUMNS[4:])}",
            )
        return "corners" if corners else "size"

    def _is_relative(self, columns: Columns, rows: list[dict[str, str]]) -> bool:
        """Numbers that are all within 0..1, and not all 0 or 1."""
        if columns.scheme == "list":
            return False
        fractions = False
        for row in rows:
            for column in columns.box:
                text = row.get(column, "")
                if not text:
                    continue
                value = to_number(text, column, str(self.file))
                if not -0.01 <= value <= 1.01:
                    return False
                fractions |= value not in (0, 1)
        return fractions


def _four(text: str, where: str) -> tuple[float, float, float, float]:
    numbers = _NUMBER.findall(text)
    if len(numbers) != 4 or _NUMBER.sub("", text).strip("[](){}\"', ;"):
        raise DataError(f"not four numbers: '{text[:60]}'", where=where, fix=FIX)
    a, b, c, d = (to_number(n, "box", where) for n in numbers)
    return a, b, c, d


def _corners(
    numbers: tuple[float, float, float, float], scheme: str
) -> tuple[float, float, float, float]:
    a, b, c, d = numbers
    if scheme == "size":
        return a, b, a + c, b + d
    if scheme == "center":
        return a - c / 2, b - d / 2, a + c / 2, b + d / 2
    return a, b, c, d
