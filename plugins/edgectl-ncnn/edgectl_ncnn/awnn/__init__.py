"""Backend for awnn, the runtime of the Allwinner V831's neural processor."""

from __future__ import annotations
