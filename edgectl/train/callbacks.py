"""A run's own reporter and the callbacks of plugins, told of the same things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgectl.errors import EdgectlError, Interruption, PluginError
from edgectl.plugins.registry import installed, load_entry
from edgectl.train.distributed.processes import Processes
from edgectl.train.progress import EpochReport, Reporter, RunStart


def follow_run(reporter: Reporter, processes: Processes) -> Reporter:
    """``reporter``, and after it the callbacks plugins registered, made anew; rank 0 alone has them.

    Raises PluginError where one cannot be imported or made.
    """
    offers = installed().callbacks.offers if processes.is_main else []
    if not offers:
        return reporter
    made = [(o.plugin.name, load_entry(o.info.entry, o.plugin.name)) for o in offers]
    return _Followed(reporter, made)


class _Followed(Reporter):
    """The first is core's; what another raises names its plugin."""

    def __init__(self, reporter: Reporter, callbacks: list[tuple[str, Reporter]]) -> None:
        self._reporter, self._callbacks = reporter, callbacks

    def on_start(self, start: RunStart) -> None:
        self._reporter.on_start(start)
        for plugin, callback in self._callbacks:
            _call(plugin, callback.on_start, start)

    def on_step(self, step: int) -> None:
        self._reporter.on_step(step)
        for plugin, callback in self._callbacks:
            _call(plugin, callback.on_step, step)

    def on_epoch(self, report: EpochReport) -> None:
        self._reporter.on_epoch(report)
        for plugin, callback in self._callbacks:
            _call(plugin, callback.on_epoch, report)

    def on_end(self) -> None:
        """All are told, whatever one of them raises."""
        self._reporter.on_end()
        failed: list[PluginError] = []
        for plugin, callback in self._callbacks:
            try:
                _call(plugin, callback.on_end)
            except PluginError as e:
                failed.append(e)
        if failed:
            raise failed[0]


def _call(plugin: str, method: Callable[..., Any], *values: Any) -> None:
    try:
        method(*values)
    except (EdgectlError, Interruption):
        raise
    except BaseException as e:  # the plugin boundary; it may call sys.exit
        reason = " ".join(f"{type(e).__name__}: {e}".split())
        raise PluginError(
            f"the callback of the plugin '{plugin}' failed: {reason}",
            where=f"{method.__name__}",
            fix=f"mend or uninstall it, then go on with --resume; bisect with EDGECTL_PLUGINS; "
            f"edgectl plugins info {plugin}",
        ) from e
