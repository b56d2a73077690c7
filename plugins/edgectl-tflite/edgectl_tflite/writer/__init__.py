"""QuantizedGraph to a TFLite file."""
