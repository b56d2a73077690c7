"""Writes a plugin project from the templates: ``*.tmpl`` files with ``string.Template`` placeholders.

``package`` in a path becomes the project's package. Placeholders: ``$name`` (as typed on the command
line), ``$package`` (``edgectl_NAME``), ``$Class`` (for class names), ``$kind``.
"""

from __future__ import annotations

import keyword
import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import get_args

from edgectl.errors import UsageError
from edgectl.files import staged
from edgectl.plugins.info import PluginKind

KINDS: tuple[PluginKind, ...] = get_args(PluginKind)
_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
_LONGEST = 24
"""Longer names would break the projects' lines where a formatter would not."""


def render(kind: PluginKind, name: str, directory: Path) -> list[Path]:
    """Writes the project. Returns its files, relative.

    Raises:
        UsageError: a name that cannot be a package, or a directory that is taken.
        EdgectlError: the directory cannot be written.
    """
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or keyword.iskeyword(module):
        raise UsageError(
            f"'{name}' cannot be a plugin's name",
            where="NAME",
            fix=f"up to {_LONGEST} lower-case letters, digits, - and _, a letter first: my-detector",
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError("exists already", where=str(directory), fix="choose another --out")
    words = {
        "name": name,
        "kind": kind,
        "package": f"edgectl_{module}",
        "Class": "".join(part.capitalize() for part in module.split("_")),
    }
    texts = {}
    for path, template in _walk(resources.files("edgectl.scaffold") / kind, Path()):
        parts = [words["package"] if p == "package" else p for p in path.parts]
        target = Path(*parts).with_name(path.name.removesuffix(".tmpl"))
        texts[target] = Template(template.read_text(encoding="utf-8")).substitute(words)
    with staged(directory) as place:
        for path, text in texts.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(text, encoding="utf-8")
    return sorted(texts)


def _walk(folder: Traversable, path: Path) -> list[tuple[Path, Traversable]]:
    found: list[tuple[Path, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                found += _walk(entry, path / entry.name)
        else:
            found.append((path / entry.name, entry))
    return found
