"""Commands for networks that edgectl did not train, and the options they share."""
