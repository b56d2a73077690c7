"""Labelled images: formats, catalog, preprocessing, augmentation, loaders."""
