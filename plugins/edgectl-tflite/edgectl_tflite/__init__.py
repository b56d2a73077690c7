"""int8 TensorFlow Lite files for microcontrollers, judged by the real interpreters."""
