"""Scoring, predicting with and timing models."""
