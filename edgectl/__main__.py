"""``python -m edgectl``."""

from __future__ import annotations

from edgectl.cli.app import main

main()
