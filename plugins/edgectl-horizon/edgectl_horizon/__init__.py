"""Plans for Horizon BPUs."""
