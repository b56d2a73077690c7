"""Vendor compilers, each a process in an environment of its own."""
