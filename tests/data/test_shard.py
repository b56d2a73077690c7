from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from edgectl.config.schema import RunConfig
from edgectl.data.loading.shard import Shard
from edgectl.labels import Sample
from edgectl.spec import PreprocessSpec
from edgectl.tasks.lookup import load_task


@pytest.fixture
def samples(tmp_path):
    rng = np.random.default_rng(0)
    made = []
    for i in range(11):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
        boxes = np.array([[2, 2, 20 + i, 30]], np.float32)
        made.append(
            Sample(path, 40, 40, boxes, np.array([i % 2]), np.zeros(1, bool), image_label=i % 2)
        )
    return made


@pytest.mark.parametrize(
    ("task", "mixing"),
    [
        ("detection", {}),
        ("classification", {}),
        ("classification", {"mixup": 0.4, "cutmix": 1.0, "class_weights": "balanced"}),
    ],
)
def test_two_processes_read_what_one_reads(samples, task, mixing):
    spec = PreprocessSpec((32, 32))
    config = RunConfig.model_validate({"classify": mixing})

    def epoch(batch, shard):
        loader = load_task(task).train_batches(
            samples, spec, config, num_classes=2, batch=batch, shard=shard
        )
        return list(loader.epoch(3, total_epochs=10))

    whole = epoch(4, Shard())
    parts = [epoch(2, Shard(rank, 2)) for rank in range(2)]
    assert len(whole) == len(parts[0]) == len(parts[1]) == 2
    for one, *others in zip(whole, *parts, strict=True):
        assert one.indices == others[0].indices + others[1].indices
        assert torch.equal(one.images, torch.cat([o.images for o in others]))
        if task == "classification":
            for name in ("image_labels", "image_weights"):
                theirs = [getattr(o.targets, name) for o in others]
                if theirs[0] is not None:
                    assert torch.equal(getattr(one.targets, name), torch.cat(theirs))
        boxes = [b for o in others for b in o.targets.boxes_xyxy]
        assert all(torch.equal(a, b) for a, b in zip(one.targets.boxes_xyxy, boxes, strict=True))


def test_every_process_makes_as_many_steps():
    assert {Shard(r, 3).steps(20, 3) for r in range(3)} == {2}
    # a set smaller than the joint batch is gone through more than once
    assert Shard(0, 8).steps(3, 4) == 1
