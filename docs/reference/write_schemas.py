"""Writes the JSON schemas of what edgectl leaves: ``python docs/reference/write_schemas.py [--check]``.

With ``--check`` nothing is written, and the exit code is 1 where a schema is not current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgectl.artifacts.manifest import Manifest

HERE = Path(__file__).parent


def describe_manifest() -> str:
    """``manifest.schema.json``: of an artifact's ``manifest.json``."""
    schema = Manifest.model_json_schema()
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(document, indent=1) + "\n"


SCHEMAS = {"manifest.schema.json": describe_manifest}


def main(arguments: list[str]) -> int:
    """Writes or checks every schema."""
    stale = []
    for name, describe in SCHEMAS.items():
        path, text = HERE / name, describe()
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        sys.stderr.write(f"not current: {name}; run python docs/reference/write_schemas.py\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
