"""What this distribution registers. Light: no runtime and no torch here."""

from __future__ import annotations
