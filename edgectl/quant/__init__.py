"""Trace, calibrate and fake-quantise networks in a backend's arithmetic."""
