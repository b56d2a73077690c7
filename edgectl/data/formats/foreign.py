"""What people also have lying there: formats that nobody reads here, each with the way out.

A row is a name of the tool, what its files look like, and what to export instead.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from edgectl.data.formats.reading.json_files import look_into
from edgectl.data.formats.reading.walking import files_below
from edgectl.errors import DataError

_LOOKED_AT = 5000
_JSON_LOOKED_AT = 3


@dataclass(frozen=True)
class Foreign:
    """Attributes:
    tool: whose format it is.
    instead: what to export from it.
    patterns: of file names.
    keys: of a JSON document's top level, or of its first row or value; all of them.
    """

    tool: str
    instead: str
    patterns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


FOREIGN: tuple[Foreign, ...] = (
    Foreign("TFRecord (TensorFlow)", "COCO JSON, YOLO or Pascal VOC", ("*.tfrecord", "*.record")),
    Foreign(
        "Parquet or Arrow (Hugging Face datasets)",
        "an image folder (class folders), or COCO JSON with the images",
        ("*.parquet", "*.arrow"),
    ),
    Foreign("SageMaker Ground Truth", "COCO JSON", ("*.manifest",)),
    Foreign("JSON lines (Labelbox, Vertex AI, AutoML)", "COCO JSON", ("*.jsonl", "*.ndjson")),
    Foreign("MATLAB", "COCO JSON or CSV with xmin,ymin,xmax,ymax", ("*.mat",)),
    Foreign("HDF5 or NumPy", "images in files, with COCO JSON or CSV", ("*.h5", "*.hdf5", "*.npz")),
    Foreign(
        "Supervisely", "COCO or YOLO (its app 'Export to COCO')", keys=("tags", "objects", "size")
    ),
    Foreign(
        "VGG Image Annotator (VIA)",
        "COCO (its 'Export annotations (COCO format)')",
        keys=("_via_img_metadata",),
    ),
    Foreign(
        "VGG Image Annotator (VIA)",
        "COCO (its 'Export annotations (COCO format)')",
        keys=("filename", "regions"),
    ),
    Foreign("Create ML", "COCO JSON or YOLO", keys=("image", "annotations")),
    Foreign("Create ML", "COCO JSON or YOLO", keys=("imagefilename", "annotation")),
    Foreign("Darwin (V7)", "COCO JSON or YOLO", keys=("dataset", "annotations", "item")),
    Foreign("Darwin (V7)", "COCO JSON or YOLO", keys=("version", "item", "annotations")),
    Foreign("BDD100K or Scalabel", "COCO JSON (its tool 'bdd2coco')", keys=("name", "labels")),
    Foreign(
        "COCO predictions, without images and categories",
        "the COCO annotation file",
        keys=("image_id", "bbox", "score"),
    ),
    Foreign("Cityscapes", "COCO JSON", keys=("imgHeight", "imgWidth", "objects")),
)


def foreign_format(path: Path) -> DataError | None:
    """One error that names the tool and the way out; None for what is not known either."""
    files = [path] if path.is_file() else list(islice(files_below(path), _LOOKED_AT))
    for row in FOREIGN:
        for pattern in row.patterns:
            hit = next((f for f in files if fnmatch.fnmatch(f.name.lower(), pattern)), None)
            if hit is not None:
                return _error(row, hit, path)
    for file in [f for f in files if f.suffix.lower() == ".json"][:_JSON_LOOKED_AT]:
        keys = _keys(look_into(file))
        for row in FOREIGN:
            if row.keys and any(set(row.keys) <= k for k in keys):
                return _error(row, file, path)
    return None


def _keys(document: Any) -> list[set[str]]:
    """Collect the keys of the document and of its first row or value."""
    found = []
    if isinstance(document, dict):
        found.append(set(document))
        document = list(document.values())
    if isinstance(document, list) and document and isinstance(document[0], dict):
        found.append(set(document[0]))
    return found


def _error(row: Foreign, file: Path, path: Path) -> DataError:
    return DataError(
        f"{file.name} is of {row.tool}, which edgectl does not read",
        where=str(path),
        fix=f"export {row.instead} from it instead",
    )
