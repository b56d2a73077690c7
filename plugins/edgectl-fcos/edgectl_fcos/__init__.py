"""FCOS for edgectl."""
