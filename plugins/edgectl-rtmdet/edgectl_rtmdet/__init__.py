"""RTMDet for edgectl."""
