"""TensorFlow Lite's 8-bit arithmetic, shared by every backend that computes in it.

A graph is lowered to a :class:`~edgectl.quant.integer.program.Program`, the op list such a device runs; the
executor computes that list exactly. A backend serializes it, or turns it into code.
"""
