"""Number ranges of tensors: schemes, observers and the search for good ranges."""
