"""Two processes share a batch: batch norm, and every installed family's loss. Prints JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import torch
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from edgectl.labels import Targets
from edgectl.nn.sync_norm import synchronize_norms
from edgectl.plugins.registry import build_registry, load_entry

WORLD, BATCH, SIZE, CLASSES = 2, 4, 128, 3


def norm_net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.BatchNorm2d(5, affine=False)
    ).double()


def relative(ours, theirs):
    """Largest difference, relative to the largest value."""
    ours, theirs = torch.cat(ours), torch.cat(theirs)
    return float((ours - theirs).abs().max() / theirs.abs().max())


def gradients(model):
    return [
        torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten()
        for p in model.parameters()
    ]


def check_norm(part):
    x = 3 * torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(1)).double() + 50
    whole = norm_net()
    (whole(x) ** 3).mean().backward()
    ours = synchronize_norms(norm_net(), "cpu")
    shared = DistributedDataParallel(ours)  # its hooks live as long as it does
    (shared(x[part]) ** 3).mean().backward()
    found = {
        "gradients": relative(gradients(ours), gradients(whole)),
        "buffers": relative(*([b.flatten().double() for b in m.buffers()] for m in (ours, whole))),
    }
    ours.eval(), whole.eval()
    found["eval"] = float((ours(x) - whole(x)).abs().max())
    found["names"] = list(ours.state_dict()) == list(whole.state_dict())
    return found


def targets(whole_images):
    """Six objects in the first image, one in the second, none in the others."""
    generator = torch.Generator().manual_seed(2)
    boxes, labels = [], []
    for count in (6, 1, 0, 0):
        corner = torch.rand(count, 2, generator=generator) * SIZE / 2
        extent = 8 + torch.rand(count, 2, generator=generator) * SIZE / 3
        boxes.append(torch.cat([corner, corner + extent], dim=1))
        labels.append(torch.randint(CLASSES, (count,), generator=generator))
    if whole_images:
        empty = [b[:0] for b in boxes], [v[:0] for v in labels]
        classes, weights = torch.tensor([0, 1, 2, 1]), torch.tensor([4.0, 1.0, 0.5, 1.0])
        return Targets(*empty, image_labels=classes, image_weights=weights.double())
    return Targets(boxes, labels)


def part_of(found, part):
    def cut(tensor):
        return None if tensor is None else tensor[part]

    return Targets(
        found.boxes_xyxy[part],
        found.labels[part],
        image_labels=cut(found.image_labels),
        image_weights=cut(found.image_weights),
    )


def check_family(info, part):
    """The gradient of the loss with respect to the raw heads."""
    family = load_entry(info.entry, info.name)
    preset = family.presets(info.default_variant).get("model", {})
    config = family.config_type.model_validate_json(json.dumps(preset))
    torch.manual_seed(0)
    model = family.build(config, num_classes=CLASSES).double().eval()
    criterion = family.criterion(config, num_classes=CLASSES)
    x = torch.randn(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3)).double()
    with torch.no_grad():
        heads = model(x)
    truth = targets(info.task == "classification")
    ours = [h[part].clone().requires_grad_() for h in heads]
    loss = criterion(ours, part_of(truth, part))["loss"]
    loss.backward()
    mean_loss = loss.detach().clone()
    distributed.all_reduce(mean_loss)
    distributed.barrier()
    return mean_loss / WORLD, [o.grad / WORLD for o in ours], (criterion, heads, truth)


def alone(criterion, heads, truth):
    leaves = [h.clone().requires_grad_() for h in heads]
    loss = criterion(leaves, truth)["loss"]
    loss.backward()
    return loss.detach(), [h.grad for h in leaves]


def run(rank, out, store):
    torch.set_num_threads(1)
    part = slice(rank * BATCH // WORLD, (rank + 1) * BATCH // WORLD)
    infos = list(build_registry().families.infos())
    distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD
    )
    found = {"norm": check_norm(slice(rank * 4, rank * 4 + 4)), "families": {}}
    shared = {i.name: check_family(i, part) for i in infos}
    distributed.destroy_process_group()
    for name, (loss, grads, whole) in shared.items():
        expected, wanted = alone(*whole)
        found["families"][name] = {
            "loss": abs(float(loss - expected)) / float(expected),
            "gradients": relative(
                [g.flatten() for g in grads], [w[part].flatten() for w in wanted]
            ),
        }
    Path(out, f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as directory:
        spawn(run, (directory, f"{directory}/store"), nprocs=WORLD)
        reports = [json.loads(Path(directory, f"{r}.json").read_text()) for r in range(WORLD)]
    sys.stdout.write(json.dumps(reports))
