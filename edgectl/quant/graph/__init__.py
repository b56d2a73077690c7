"""The quantization graph: its ops, and the ways into it."""
