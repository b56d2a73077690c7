"""The ncnn runtime."""
