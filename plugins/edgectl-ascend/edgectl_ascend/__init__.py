"""Files for Ascend NPUs."""
