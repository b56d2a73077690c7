"""A network as plain C."""
