"""Ground truth drawn for a batch."""

from __future__ import annotations

import torch

from edgectl.labels import Targets
from edgectl.spec import Size, Task


def draw_targets(
    task: Task, images: int, size: Size, num_classes: int, *, empty: bool = False
) -> Targets:
    """One to three boxes an image, none where ``empty``; for classification a label each."""
    generator = torch.Generator().manual_seed(0)
    nothing = [torch.zeros(0, 4)] * images, [torch.zeros(0, dtype=torch.int64)] * images
    if task == "classification":
        return Targets(*nothing, image_labels=torch.arange(images) % num_classes)
    if empty:
        return Targets(*nothing)
    boxes, labels = [], []
    height, width = size
    for i in range(images):
        count = 1 + i % 3
        corner = torch.rand(count, 2, generator=generator) * 0.5
        extent = 0.2 + torch.rand(count, 2, generator=generator) * 0.3
        scale = torch.tensor([width, height] * 2)
        boxes.append(torch.cat([corner, corner + extent], dim=1) * scale)
        labels.append(torch.randint(num_classes, (count,), generator=generator))
    return Targets(boxes, labels)
