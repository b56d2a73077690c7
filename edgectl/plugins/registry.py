"""What the installed plugins offer, by kind and name, and the guarded import of what is used."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from edgectl.errors import EdgectlError, Interruption, PluginError, UnknownNameError
from edgectl.plugins.head import HeadKind
from edgectl.plugins.info import (
    BackendInfo,
    BoardInfo,
    CallbackInfo,
    CheckInfo,
    CommandInfo,
    DatasetInfo,
    DecoderInfo,
    DoctorCheck,
    FamilyInfo,
    FormatInfo,
    MetricInfo,
    TaskInfo,
)
from edgectl.plugins.manager import HOOKS, LoadedPlugin, PluginManager, get_manager

T = TypeVar("T")


@dataclass(frozen=True)
class Offer(Generic[T]):
    """One registered thing and the plugin it came from."""

    info: T
    plugin: LoadedPlugin


@dataclass
class Table(Generic[T]):
    """All offers of one kind. Two plugins may claim a name; using it is then an error."""

    kind: str
    offers: list[Offer[T]]
    broken: list[LoadedPlugin] = field(default_factory=list)

    def names(self) -> list[str]:
        """Every name offered, sorted."""
        return sorted({_name(o.info) for o in self.offers})

    def infos(self) -> list[T]:
        """Everything offered, in entry-point order."""
        return [o.info for o in self.offers]

    def claims(self, name: str) -> list[Offer[T]]:
        """All offers of one name."""
        return [o for o in self.offers if _name(o.info) == name]

    def get(self, name: str) -> T:
        """Raises PluginError for a name two plugins claim or a broken plugin of that name;
        UnknownNameError otherwise."""
        claims = self.claims(name)
        if len(claims) == 1:
            return claims[0].info
        if claims:
            by = " and ".join(sorted(o.plugin.distribution for o in claims))
            raise PluginError(
                f"two plugins offer the {self.kind} '{name}': {by}",
                fix="uninstall one, or bisect with EDGECTL_PLUGINS",
            )
        for plugin in self.broken:
            if plugin.name == name:
                raise PluginError(
                    f"the plugin '{name}' ({plugin.distribution} {plugin.version}) is "
                    f"{plugin.state}: {plugin.reason}",
                    fix=f"pip install --upgrade {plugin.distribution}; details: edgectl plugins info {name}",
                )
        raise UnknownNameError(self.kind, name, self.names())


@dataclass
class Registry:
    """Everything the installed plugins offer."""

    plugins: list[LoadedPlugin]
    families: Table[FamilyInfo]
    tasks: Table[TaskInfo]
    heads: Table[HeadKind]
    decoders: Table[DecoderInfo]
    backends: Table[BackendInfo]
    datasets: Table[DatasetInfo]
    formats: Table[FormatInfo]
    checks: Table[CheckInfo]
    metrics: Table[MetricInfo]
    callbacks: Table[CallbackInfo]
    boards: Table[BoardInfo]
    commands: Table[CommandInfo]
    manager: PluginManager

    def backend_of(self, path: Path) -> str | None:
        """The backend that reads a bare model file; None for anything else, artifacts included."""
        if not path.is_file() or (path.parent / "manifest.json").is_file():
            return None
        found = (i.name for i in self.backends.infos() if i.suffix and i.suffix == path.suffix)
        return next(found, None)

    def graph_writers(self) -> Iterator[tuple[BackendInfo, Any]]:
        """Backends that write graphs themselves, each with its code. A broken one is left out: it is
        doctor's business."""
        for info in self.backends.infos():
            if info.takes != "graph":
                continue
            try:
                code = load_entry(info.entry, info.name)
            except EdgectlError:
                continue
            yield info, code

    def doctor_checks(self) -> list[DoctorCheck]:
        """Calls the plugins' own checks."""
        return [check for _, check in self.manager.collect("edgectl_doctor_checks")]

    def provided_by(self, plugin: LoadedPlugin) -> list[tuple[str, str]]:
        """(kind, name) of everything a plugin registered."""
        values = (getattr(self, f.name) for f in fields(self))
        tables: list[Table[Any]] = [v for v in values if isinstance(v, Table)]
        return [(t.kind, _name(o.info)) for t in tables for o in t.offers if o.plugin is plugin]


def build_registry(manager: PluginManager | None = None) -> Registry:
    """Calls every registration hook once."""
    manager = manager or get_manager()
    collected = {
        kind: manager.collect(hook) for hook, (kind, _) in HOOKS.items() if kind != "doctor"
    }
    unusable = [p for p in manager.plugins if p.state in ("broken", "skipped")]

    def table(kind: str) -> Table[Any]:
        # a plugin may break in a later hook than the one that offered something
        offers = [Offer(item, p) for p, item in collected[kind] if p.state != "broken"]
        return Table(kind, offers, unusable)

    return Registry(
        manager.plugins,
        table("family"),
        table("task"),
        table("head"),
        table("decoder"),
        table("backend"),
        table("dataset"),
        table("format"),
        table("check"),
        table("metric"),
        table("callback"),
        table("board"),
        table("command"),
        manager,
    )


def installed() -> Registry:
    """The registry of this process, built once: for code that looks up a task, a head or a format where
    handing the registry down would only lengthen argument lists.
    """
    return _installed(os.environ.get("EDGECTL_PLUGINS", ""), get_manager)


@functools.lru_cache(maxsize=4)
def _installed(chosen: str, manager: Callable[[], PluginManager]) -> Registry:
    return build_registry(manager())


def load_entry(entry: str, plugin: str) -> Any:
    """Imports ``module:Class`` and instantiates it.

    Raises:
        EdgectlError: as the plugin raised it (BackendUnavailableError, for example).
        PluginError: anything else that goes wrong.
    """
    with _guarded(entry, plugin):
        return _imported(entry)()


def load_object(entry: str, plugin: str) -> Any:
    """Imports ``module:attribute``. Raises what :func:`load_entry` does."""
    with _guarded(entry, plugin):
        return _imported(entry)


def load_named(entry: str, name: str, plugin: str) -> Any:
    """Imports ``module:attribute``, and takes of a tuple of things with names the one called ``name``.

    Raises what :func:`load_entry` does.
    """
    found = load_object(entry, plugin)
    with _guarded(entry, plugin):
        if not isinstance(found, tuple):
            return found
        return {f.name: f for f in found}[name]


def _imported(entry: str) -> Any:
    module, _, attribute = entry.partition(":")
    return getattr(importlib.import_module(module), attribute)


@contextmanager
def _guarded(entry: str, plugin: str) -> Iterator[None]:
    try:
        yield
    except (EdgectlError, Interruption):
        raise
    except BaseException as e:  # the plugin boundary; it may call sys.exit
        reason = " ".join(f"{type(e).__name__}: {e}".split())
        raise PluginError(
            f"the plugin '{plugin}' cannot be used: {reason}",
            where=entry,
            fix=f"edgectl plugins info {plugin}",
        ) from e


def _name(info: Any) -> str:
    return str(info.name)
