"""C99 from a plan."""
