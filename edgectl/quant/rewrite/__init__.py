"""Rewrites of a graph that compute the same and lose less in int8."""
