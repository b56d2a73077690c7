"""TensorFlow Lite files for microcontrollers: writer, exact integer executor, runtimes."""
