"""``edgectl``, and ``python -m edgectl``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main() -> None:
    """Entry point. Ctrl-C while the program is being imported is one line too, and exit code 130."""
    try:
        if os.environ.get("_EDGECTL_COMPLETE", "").startswith("complete_"):
            from edgectl.cli.completion.shells import answer

            sys.exit(answer())
        from edgectl.cli.app import main as command_line
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)
    command_line()


def run(argv: Sequence[str]) -> int:
    """Runs one command line in this process, as a test of a plugin wants to; returns its exit code."""
    from edgectl.cli.app import run as command_line

    return command_line(argv)


if __name__ == "__main__":
    main()
