"""A training run: what it is to do, what it is made of, and where its processes run."""
