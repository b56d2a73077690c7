"""TFLite files: their structure, liveness, limits and cost."""
