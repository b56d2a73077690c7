"""Backends for ncnn (Linux boards, phones) and awnn (Allwinner V831)."""

from __future__ import annotations
