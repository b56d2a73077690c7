"""r50 against torchvision's own FCOS, with the same random weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from edgectl_fcos.config import FcosConfig
from edgectl_fcos.decode import flatten
from edgectl_fcos.loss import FcosCriterion
from edgectl_fcos.model import FcosFamily
from torch import nn

from edgectl.data.images.preprocess import normalize
from edgectl.labels import Detections, Targets
from edgectl.nn.boxes import iou
from edgectl.nn.vision import vision
from edgectl.testing.matching import require_same_detections

FAMILY = FcosFamily()
SIZE = 256
CLASSES = 91
LEVELS = 5


def read_as(config):
    return {"offset": config.point_offset, "logarithms": not config.norm_on_bbox}


def config(**changes):
    table = {**FAMILY.presets("r50")["model"], **changes}
    return FcosConfig.model_validate(table, strict=False)


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    model = vision("models.detection").fcos_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=CLASSES, min_size=SIZE, max_size=SIZE
    )
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            # as a trained network's, not the identity
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.running_mean, std=0.1)
        if name.endswith(("cls_logits", "bbox_reg", "bbox_ctrness")):
            nn.init.normal_(module.weight, std=0.02)
        if name.endswith("bbox_reg"):
            # boxes with an area: what overlap those without have is nobody's convention
            nn.init.constant_(module.bias, 2.0)
    return model.eval()


@pytest.fixture(scope="module")
def ours(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "fcos.pth"
    torch.save(theirs.state_dict(), path)
    model = FAMILY.build(config(), num_classes=CLASSES)
    report = FAMILY.load_weights(model, config(), path)
    assert report["matched"] == report["of"]
    assert not report["missing"]
    return model.eval()


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3), dtype=np.uint8)


def seen_by_ours(image):
    spec = FAMILY.preprocess(config(), (SIZE, SIZE))
    return normalize(torch.from_numpy(image).permute(0, 3, 1, 2), spec)


def test_raw_outputs(theirs, ours, image):
    x = seen_by_ours(image)
    with torch.no_grad():
        found = theirs.head(list(theirs.backbone(x).values()))
        mine = ours(x)
    for first, name in enumerate(("cls_logits", "bbox_regression", "bbox_ctrness")):
        levels = mine[first * LEVELS : (first + 1) * LEVELS]
        flat = torch.cat([t.flatten(2).transpose(1, 2) for t in levels], dim=1)
        assert flat.shape == found[name].shape
        assert float((flat - found[name]).abs().max()) <= 1e-4
        assert float(found[name].std()) > 0.01


def greedy(boxes, scores, labels, threshold):
    """Class-wise suppression written out, in place of torchvision's compiled one."""
    kept = []
    for i in scores.argsort(descending=True).tolist():
        rivals = [k for k in kept if labels[k] == labels[i]]
        if not rivals or float(iou(boxes[rivals], boxes[i]).max()) <= threshold:
            kept.append(i)
    return torch.tensor(kept, dtype=torch.int64)


def test_detections(theirs, ours, image, monkeypatch):
    """From the image on: their preprocessing, decoding and selection against ours."""
    threshold = 0.2
    monkeypatch.setattr(vision("ops.boxes"), "batched_nms", greedy)
    monkeypatch.setattr(theirs, "score_thresh", threshold)
    with torch.no_grad():
        (wanted,) = theirs([torch.from_numpy(image[0]).permute(2, 0, 1).float() / 255])
        outputs = ours(seen_by_ours(image))
    settings = config(score_threshold=threshold)
    postprocess = FAMILY.postprocess(settings, num_classes=CLASSES)
    (got,) = postprocess(outputs, FAMILY.outputs(settings, num_classes=CLASSES))
    assert len(got.scores) > 20
    theirs_found = Detections(wanted["boxes"], wanted["scores"], wanted["labels"])
    require_same_detections(got, theirs_found, score=1e-5, overlap=0.999, near=threshold)


def test_losses(theirs, ours, image):
    """Assignment, center-ness and all three losses. The box loss's mean is a plain one there."""
    x = seen_by_ours(image)
    boxes = [[10.0, 20, 80, 90], [100, 30, 250, 220], [5, 5, 250, 250], [60, 60, 75, 80]]
    labels = torch.tensor([3, 17, 60, 5])
    with torch.no_grad():
        features = list(theirs.backbone(x).values())
        images = vision("models.detection.image_list").ImageList(x, [(SIZE, SIZE)])
        wanted = theirs.compute_loss(
            [{"boxes": torch.tensor(boxes), "labels": labels}],
            theirs.head(features),
            theirs.anchor_generator(images, features),
            [f.shape[2] * f.shape[3] for f in features],
        )
        criterion = FcosCriterion(config(weigh_boxes=False))
        got = criterion(ours(x), Targets([torch.tensor(boxes)], [labels]))
    pairs = {"cls": "classification", "box": "bbox_regression", "ctr": "bbox_ctrness"}
    for mine, other in pairs.items():
        assert float(got[f"loss_{mine}"]) == pytest.approx(float(wanted[other]), rel=1e-5)


def test_points_are_torchvisions(theirs, ours, image):
    x = seen_by_ours(image)
    with torch.no_grad():
        features = list(theirs.backbone(x).values())
        outputs = ours(x)
    images = vision("models.detection.image_list").ImageList(x, [(SIZE, SIZE)])
    (anchors,) = theirs.anchor_generator(images, features)
    assert torch.equal(
        (anchors[:, :2] + anchors[:, 2:]) / 2, flatten(outputs, **read_as(config())).points
    )
