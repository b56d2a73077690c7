"""What is done with networks that edgectl did not train, beside exporting them."""
