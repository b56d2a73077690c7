"""Where a network comes from: a family's checkpoint or weights, an ONNX file, a module, a library."""
