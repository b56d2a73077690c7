"""Trace, calibrate and fake-quantize networks in a backend's arithmetic."""
