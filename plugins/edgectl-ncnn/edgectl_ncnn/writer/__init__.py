"""Graphs to ncnn files."""
