"""The commands under ``edgectl data``."""
