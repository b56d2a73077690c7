"""A network as a C99 library that computes what TensorFlow Lite Micro computes, byte by byte."""
