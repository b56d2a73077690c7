"""From samples to batches: loaders, augmentation, prefetching."""
