"""What a family can be trained for: its metrics, batches, drawings and results; one file a built-in task."""
