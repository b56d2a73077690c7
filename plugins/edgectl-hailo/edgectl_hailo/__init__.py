"""Hailo accelerators, through Hailo's Dataflow Compiler and HailoRT."""

from __future__ import annotations
