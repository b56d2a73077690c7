"""What the commands do, as functions: typed arguments in, a result object out, nothing printed."""
