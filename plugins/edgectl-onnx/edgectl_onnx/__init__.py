"""ONNX files for edgectl."""
