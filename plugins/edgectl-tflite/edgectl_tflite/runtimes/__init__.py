"""Runtimes that run and judge TFLite files."""
