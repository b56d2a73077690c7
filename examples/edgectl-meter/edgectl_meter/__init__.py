"""Reads pointer meters by key points: the pointer's pivot and tip, the ends of the scale."""
