"""Tables and lines for people."""
