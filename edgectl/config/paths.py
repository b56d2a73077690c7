"""Where edgectl keeps what it may fetch, draw or install again, and where the user's own settings are."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """``$EDGECTL_CACHE``, or ``edgectl`` in the user's cache directory. It may not exist yet."""
    named = os.environ.get("EDGECTL_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "edgectl"


def config_directory() -> Path:
    """``edgectl`` in the user's configuration directory. It may not exist yet."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "edgectl"


def tools_directory() -> Path:
    """Environments of vendors' compilers, one directory each, made by ``edgectl tools setup``."""
    return cache_directory() / "tools"
