"""``python -m edgectl``."""

from edgectl.cli.app import main

main()
