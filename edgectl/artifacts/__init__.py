"""Exported artifacts: the manifest, opening and verifying them, their runtimes."""
