"""From names to objects: families, backends, data sets, models, configuration."""
