"""The table ``make test-attack`` ends with: what was tried, and what held."""

from __future__ import annotations

import os
from collections import Counter

CLASSES = {
    "test_killed_at": "killed at a file operation",
    "test_without_room_at": "disk full at a file operation",
    "test_every_point_of_failure": "killed or full inside files.py, every operation of three ways to write",
    "test_many_damaged_files": "damaged model files",
    "test_hostile_strings": "hostile strings, in every language",
    "test_packs": "packs cut short or altered",
    "test_field_of_another_type": "plugins with fields of another type",
    "test_plugins": "plugins that hang, lie or stay",
    "test_locks": "two processes at once",
    "toolchains/": "vendors' programs that misbehave",
    "test_endings": "memory, signals, checkpoints, ranks",
    "test_mutants": "damaged label files and images",
    "test_fuzz": "damaged label files and images",
    "test_crash": "killed in training, then resumed",
}


def class_of(node: str) -> str:
    return next((c for part, c in CLASSES.items() if part in node), "other")


def pytest_terminal_summary(terminalreporter):
    if os.environ.get("EDGECTL_ATTACK_TABLE") != "1":
        return
    tried, held = Counter(), Counter()
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if report.when != "call" and outcome != "error":
                continue
            count = int(dict(report.user_properties).get("tried", 1))
            tried[class_of(report.nodeid)] += count
            held[class_of(report.nodeid)] += count if outcome == "passed" else 0
    terminalreporter.section("attacks")
    width = max(map(len, tried), default=5)
    terminalreporter.write_line(f"{'class':{width}}  {'tried':>6} {'held':>6}")
    for name in sorted(tried):
        terminalreporter.write_line(f"{name:{width}}  {tried[name]:6} {held[name]:6}")
    total = f"{'all':{width}}  {sum(tried.values()):6} {sum(held.values()):6}"
    terminalreporter.write_line(total)
