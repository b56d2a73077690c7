"""Trace, calibrate, fake-quantise and analyse networks in a backend's arithmetic."""
