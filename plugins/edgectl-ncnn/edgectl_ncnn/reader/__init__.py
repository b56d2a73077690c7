"""ncnn files: their structure and cost."""
