"""Guarded loading of plugins: one that is broken is listed as broken, and the others work.

pluggy's own ``load_setuptools_entrypoints`` lets the first ImportError end the program; here every
entry point is loaded in a guard, and what happened is kept for ``plugins list`` and ``--debug``.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pluggy

from edgectl.errors import Interruption, UnknownNameError
from edgectl.plugins import head, hookspecs, info
from edgectl.plugins.fields import find_mistake
from edgectl.plugins.patience import name_the_slow

GROUP = "edgectl"
OWN = "edgectl"
BUILTIN = "builtin"
_MOST_ITEMS = 10_000
HOOKS: dict[str, tuple[str, type]] = {
    "edgectl_register_families": ("family", info.FamilyInfo),
    "edgectl_register_tasks": ("task", info.TaskInfo),
    "edgectl_register_heads": ("head", head.HeadKind),
    "edgectl_register_decoders": ("decoder", info.DecoderInfo),
    "edgectl_register_backends": ("backend", info.BackendInfo),
    "edgectl_register_datasets": ("dataset", info.DatasetInfo),
    "edgectl_register_formats": ("format", info.FormatInfo),
    "edgectl_register_checks": ("check", info.CheckInfo),
    "edgectl_register_metrics": ("metric", info.MetricInfo),
    "edgectl_register_callbacks": ("callback", info.CallbackInfo),
    "edgectl_register_boards": ("board", info.BoardInfo),
    "edgectl_register_commands": ("command", info.CommandInfo),
    "edgectl_doctor_checks": ("doctor", info.DoctorCheck),
}


@dataclass
class LoadedPlugin:
    """One entry point and what became of it.

    ``state``: ``ok``, ``broken`` (with ``reason`` and ``trace``), ``skipped`` (API range) or
    ``disabled`` (``EDGECTL_PLUGINS``).
    """

    name: str
    distribution: str
    version: str
    state: str = "ok"
    reason: str = ""
    trace: str = ""

    def fail(self, reason: str, error: BaseException | None = None) -> None:
        """Marks the plugin broken and keeps the traceback. The reason becomes one line."""
        self.state, self.reason = "broken", " ".join(reason.split())
        if error is not None:
            self.trace = "".join(traceback.format_exception(error))


@dataclass
class PluginManager:
    """A pluggy manager and the record of every entry point, in entry-point order."""

    pluggy: pluggy.PluginManager
    plugins: list[LoadedPlugin]

    def collect(self, hook: str) -> list[tuple[LoadedPlugin, Any]]:
        """Calls one hook plugin by plugin, guarded: ``(plugin, item)`` for every item returned.

        A hook that raises, or returns anything but a list of the right dataclass, breaks its
        plugin and no other.
        """
        expected = HOOKS[hook][1]
        found: list[tuple[LoadedPlugin, Any]] = []
        for plugin in self.plugins:
            module = self.pluggy.get_plugin(plugin.name)
            if plugin.state != "ok" or module is None or not hasattr(module, hook):
                continue
            try:
                with name_the_slow(plugin.name, "waiting for"):
                    items = list(itertools.islice(getattr(module, hook)(), _MOST_ITEMS + 1))
            except Interruption:
                raise
            except BaseException as e:  # noqa: BLE001 - the plugin boundary; it may call sys.exit
                plugin.fail(f"{hook} raised {type(e).__name__}: {e}", e)
                continue
            wrong = [i for i in items if not isinstance(i, expected)]
            if wrong:
                plugin.fail(f"{hook} returned {type(wrong[0]).__name__}, not {expected.__name__}")
                continue
            if len(items) > _MOST_ITEMS:
                plugin.fail(f"{hook} returned more than {_MOST_ITEMS} things")
                continue
            mistake = next(filter(None, map(find_mistake, items)), "")
            if mistake:
                plugin.fail(f"{hook}: {mistake}")
                continue
            for item in items:
                low, high = item.api
                if low <= hookspecs.EDGECTL_PLUGIN_API <= high:
                    found.append((plugin, item))
                else:
                    plugin.state = "skipped"
                    plugin.reason = (
                        f"written for plugin API {low}..{high}, "
                        f"this is API {hookspecs.EDGECTL_PLUGIN_API}"
                    )
        return found


def get_manager(
    entry_points: Iterable[importlib.metadata.EntryPoint] | None = None,
) -> PluginManager:
    """Loads the installed plugins, or the entry points given (tests).

    ``EDGECTL_PLUGINS=none`` loads the built-in data sets alone, ``a,b`` just those: to bisect.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    if entry_points is None:
        entry_points = importlib.metadata.entry_points(group=GROUP)
    wanted = _wanted()
    loaded: list[LoadedPlugin] = []
    for entry in entry_points:
        plugin = LoadedPlugin(
            entry.name,
            entry.dist.name if entry.dist else "?",
            entry.dist.version if entry.dist else "?",
        )
        loaded.append(plugin)
        if wanted is not None and entry.name not in wanted and entry.name != BUILTIN:
            plugin.state, plugin.reason = "disabled", "by EDGECTL_PLUGINS"
            continue
        _load(manager, entry, plugin)
    unknown = sorted((wanted or set()) - {p.name for p in loaded})
    if unknown:
        raise UnknownNameError(
            "plugin", unknown[0], [p.name for p in loaded], where="EDGECTL_PLUGINS"
        )
    return PluginManager(manager, loaded)


def _wanted() -> set[str] | None:
    value = os.environ.get("EDGECTL_PLUGINS", "").strip()
    if not value:
        return None
    return set() if value == "none" else {n.strip() for n in value.split(",") if n.strip()}


def _load(
    manager: pluggy.PluginManager, entry: importlib.metadata.EntryPoint, plugin: LoadedPlugin
) -> None:
    if entry.name == BUILTIN and plugin.distribution != OWN:
        plugin.fail(f"the name '{BUILTIN}' is edgectl's own")
        return
    try:
        with name_the_slow(plugin.name, "importing"):
            module = entry.load()
        manager.register(module, name=entry.name)
    except Interruption:
        raise
    except BaseException as e:  # noqa: BLE001 - a plugin may even call sys.exit at import
        plugin.fail(f"{type(e).__name__}: {e}", e)
        return
    known = set(HOOKS)
    misspelt = sorted(
        n
        for n in dir(module)
        if n.startswith("edgectl_")
        and n not in known
        and hasattr(getattr(module, n), "edgectl_impl")
    )
    if misspelt:
        manager.unregister(name=entry.name)
        error = UnknownNameError("hook", misspelt[0], known)
        plugin.fail(f"{error.message}; {error.fix}")
