"""The integer executor, equal to TensorFlow Lite Micro's kernels bit for bit."""
