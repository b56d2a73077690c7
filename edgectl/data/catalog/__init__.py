"""Named data sets: where they are looked for, downloaded from, or how they are drawn."""
