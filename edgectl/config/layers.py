"""Layered configuration: defaults < family preset < user < project < environment < --set < flags.

Layers are plain nested tables. They are merged key by key, the origin of every value is kept, and the
result is validated once, strictly; a mistake is reported with its key and the layer it came from.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgectl.config.paths import config_directory
from edgectl.config.trust import PROJECT_FILE, is_trusted
from edgectl.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo

    from edgectl.config.schema import RunConfig

Table = dict[str, Any]
M = TypeVar("M", bound="BaseModel")
ENV_PREFIX = "EDGECTL__"
_SEE_INIT = "'edgectl init' writes a file to start from"


@dataclass(frozen=True)
class Layer:
    """A nested table and where it came from: ``edgectl.toml``, ``--set``, ..."""

    origin: str
    table: Table


@dataclass
class Merged:
    """``table`` after merging; ``origins``: dotted key -> origin of its value."""

    table: Table = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def add(self, layer: Layer) -> None:
        """Puts a layer on top. Raises ConfigError where a value meets a table."""
        self._merge(self.table, layer.table, layer.origin, "")

    def _merge(self, into: Table, table: Mapping[str, Any], origin: str, prefix: str) -> None:
        for key, value in table.items():
            path = f"{prefix}{key}"
            if isinstance(value, Mapping):
                child = into.setdefault(key, {})
                if not isinstance(child, dict):
                    raise ConfigError(
                        f"'{path}' is a value, not a table", where=origin, fix=_SEE_INIT
                    )
                self._merge(child, value, origin, path + ".")
            else:
                into[key] = value
                self.origins[path] = origin

    def origin(self, path: str) -> str:
        """Return the layer a key comes from, or the key it is an element of, or the first key below it."""
        for known in (path, path.rpartition(".")[0]):
            if known in self.origins:
                return self.origins[known]
        below = (o for k, o in self.origins.items() if k.startswith(path + "."))
        return next(below, "configuration")


def user_layer() -> Layer | None:
    """``$EDGECTL_CONFIG`` or the user's configuration directory."""
    named = os.environ.get("EDGECTL_CONFIG")
    if named:
        return file_layer(Path(named))
    path = config_directory() / "config.toml"
    return file_layer(path) if path.is_file() else None


def project_layer(directory: Path) -> Layer | None:
    """``edgectl.toml`` of the working directory; without its ``[tools]`` unless the user trusts it."""
    path = directory / PROJECT_FILE
    if not path.is_file():
        return None
    layer = file_layer(path)
    if "tools" in layer.table and not is_trusted(path):
        return Layer(layer.origin, {k: v for k, v in layer.table.items() if k != "tools"})
    return layer


def untrusted_tools(directory: Path) -> tuple[str, ...]:
    """Names under ``[tools]`` in the project's file that do not count, since the user does not trust it."""
    path = directory / PROJECT_FILE
    if not path.is_file() or is_trusted(path):
        return ()
    tools = file_layer(path).table.get("tools")
    return tuple(tools) if isinstance(tools, dict) else ()


def machine_layer() -> Layer:
    """What holds on this machine whatever the run: the ``[tools]`` tables of user, project, environment."""
    merged = Merged()
    for layer in (user_layer(), project_layer(Path.cwd()), environment_layer(os.environ)):
        if layer is not None and "tools" in layer.table:
            merged.add(Layer(layer.origin, {"tools": layer.table["tools"]}))
    return Layer("this machine's [tools]", merged.table)


def file_layer(path: Path) -> Layer:
    """Raises ConfigError with the line when the file is not TOML."""
    try:
        return Layer(str(path), tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as e:
        raise ConfigError(
            f"cannot be read: {e.strerror}",
            where=str(path),
            fix="make it readable, or name another file with EDGECTL_CONFIG",
        ) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ConfigError(f"not TOML: {e}", where=str(path), fix=_SEE_INIT) from e


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """``EDGECTL__TRAIN__EPOCHS=5`` sets ``train.epochs``."""
    table: Table = {}
    for name, text in sorted(environ.items()):
        if name.startswith(ENV_PREFIX):
            _put(table, name.removeprefix(ENV_PREFIX).lower().split("__"), parse_value(text))
    return Layer("environment", table)


def set_layer(assignments: Iterable[str]) -> Layer:
    """``--set train.optimizer.lr=0.01``. Raises ConfigError when there is no ``=``."""
    table: Table = {}
    for text in assignments:
        key, eq, value = text.partition("=")
        if not eq or not all(key.strip().split(".")):
            raise ConfigError(
                f"not an assignment: '{text}'", where="--set", fix="write --set table.key=value"
            )
        _put(table, key.strip().split("."), parse_value(value.strip()))
    return Layer("--set", table)


def parse_value(text: str) -> Any:
    """A TOML value, or the text itself: ``0.1``, ``true``, ``[0.5, 1.5]``, ``adamw``."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def _put(table: Table, path: list[str], value: Any) -> None:
    for key in path[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(
                f"'{'.'.join(path)}' is set below a value",
                where="--set",
                fix=f"leave '{key}' or what is below it out",
            )
    table[path[-1]] = value


def resolve(layers: Iterable[Layer | None]) -> tuple[RunConfig, Merged]:
    """Merges in order, validates. Raises ConfigError naming key, origin and remedy."""
    from edgectl.config.schema import RunConfig

    merged = Merged()
    for layer in layers:
        if layer is not None:
            merged.add(layer)
    return validate(RunConfig, merged.table, merged, prefix=""), merged


def validate(
    model: type[M], table: Mapping[str, Any], merged: Merged | None = None, *, prefix: str
) -> M:
    """Strict validation in JSON mode, where arrays may be tuples and integers may be floats."""
    from pydantic import ValidationError

    try:
        return model.model_validate_json(json.dumps(table))
    except ValidationError as e:
        raise _config_error(e, model, merged, prefix) from e
    except (TypeError, ValueError) as e:
        raise ConfigError(
            f"a value has no JSON form: {e}",
            where=prefix or None,
            fix="write dates and times as text, in quotes",
        ) from e


def _config_error(
    error: ValidationError, model: type[BaseModel], merged: Merged | None, prefix: str
) -> ConfigError:
    first = error.errors()[0]
    location = [str(p) for p in first["loc"]]
    path = prefix + ".".join(location)
    origin = merged.origin(path) if merged else "configuration"
    if first["type"] == "extra_forbidden":
        unknown = UnknownNameError("key", path, [])
        known = _fields(model, location[:-1])
        near = UnknownNameError("key", location[-1], known)
        return ConfigError(unknown.message, where=origin, fix=near.fix)
    return ConfigError(
        f"{path}: {first['msg'].lower()}, got {first['input']!r}",
        where=origin,
        fix=_example(model, location, path),
    )


def _example(model: type[BaseModel], location: list[str], path: str) -> str:
    """The default, as an assignment: it shows the kind of value that is wanted."""
    # what is wrong may be one of a field's elements
    for end in range(len(location), 0, -1):
        info = _fields(model, location[: end - 1]).get(location[end - 1])
        default = None if info is None else info.get_default()
        if isinstance(default, bool | int | float | str | tuple) and default not in ("", ()):
            name = path.removesuffix(".".join(["", *location[end:]])) if location[end:] else path
            return f"for example {name} = {json.dumps(default)}"
    return _SEE_INIT


def _fields(model: type[BaseModel], path: list[str]) -> Mapping[str, FieldInfo]:
    """Return the fields of the table at this path; none where it has no model."""
    current: Any = model
    for key in path:
        info = getattr(current, "model_fields", {}).get(key)
        current = info.annotation if info else None
    return getattr(current, "model_fields", {})
