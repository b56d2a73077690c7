"""Labelled pictures: formats, catalog, preprocessing, augmentation, loaders."""
