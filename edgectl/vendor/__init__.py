"""Compilers of vendors: the ONNX file they read, and the processes they run in."""
