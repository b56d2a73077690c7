"""FOMO: object centres on a coarse grid, for microcontrollers."""
