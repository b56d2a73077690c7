"""``edgectl``, and ``python -m edgectl``."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point. Ctrl-C while the program is being imported is one line too, and exit code 130."""
    try:
        from edgectl.cli.app import main as command_line
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)
    command_line()


if __name__ == "__main__":
    main()
