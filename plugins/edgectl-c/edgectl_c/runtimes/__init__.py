"""The library run on this machine."""
