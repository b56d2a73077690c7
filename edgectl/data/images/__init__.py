"""Image files: finding, decoding, orienting, resizing and caching them."""
