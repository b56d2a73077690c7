"""FOMO: object centers on a coarse grid, for microcontrollers."""
