"""How fast training images are read, and whether memory grows with the set.

    EDGECTL_DATA=... python examples/benchmarks/reading.py

Prints images a second of coco128 at 320 px by every way of reading, as ratios to decoding JPEG files; the
augmented images a CPU second that two recipes' loaders make of coco_mask at 192 px (what training reaches,
``images_per_second``, over that is the loader's share); and the memory of an epoch over many images.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edgectl.config.schema import AugmentConfig
from edgectl.data.catalog.opening import open_dataset
from edgectl.data.catalog.plugin import edgectl_register_datasets
from edgectl.data.formats import read_dataset
from edgectl.data.formats.pack import write_pack
from edgectl.data.images.disk_cache import open_cache
from edgectl.data.loading.loader import TrainLoader
from edgectl.labels import Sample
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.spec import PreprocessSpec

SPEC = PreprocessSpec((320, 320))
ROUNDS = 3


def rate(samples: Sequence[Sample], kind: str) -> float:
    """Images a second once what is kept has been made; the best of some rounds."""
    images = open_cache(samples, SPEC, kind)
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        # copied: a memory map that is not looked at has read nothing
        for i in range(len(images)):
            images[i].pixels.copy()
        best = max(best, len(images) / (time.perf_counter() - start))
    return best


def augmented(family_name: str, variant: str) -> float:
    """Images a CPU second that leave the loader of a family's recipe, from memory."""
    registry = build_registry()
    preset = load_entry(registry.families.get(family_name).entry, family_name).presets(variant)
    index = open_dataset("coco_mask", infos=edgectl_register_datasets(), offline=True)
    spec = PreprocessSpec((192, 192))
    loader = TrainLoader(
        open_cache(index.splits["train"], spec, "ram"),
        spec,
        AugmentConfig.model_validate(preset["augment"], strict=False),
        batch=preset["train"]["batch"],
        seed=0,
    )
    start, count = time.process_time(), 0
    for epoch in range(6):
        count += sum(len(b.images) for b in loader.epoch(epoch, total_epochs=10))
    return count / (time.process_time() - start)


def resident_mb() -> float:
    """Most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000, help="of the long epoch; 0: none")
    args = parser.parse_args()
    index = open_dataset("coco128", infos=edgectl_register_datasets(), offline=True)
    samples = index.splits["train"]
    with tempfile.TemporaryDirectory() as directory:
        os.environ["EDGECTL_CACHE"] = directory
        pack = Path(directory) / "coco128.lmdb"
        write_pack(index, pack)
        rates = {
            "JPEG files": rate(samples, "off"),
            "pack": rate(read_dataset(pack).splits["train"], "off"),
            "memory-mapped images": rate(samples, "disk"),
            "images in memory": rate(samples, "ram"),
        }
        print("| | images/s | ratio |\n| --- | ---: | ---: |")
        for name, value in rates.items():
            print(f"| {name} | {value:,.0f} | {value / rates['JPEG files']:.1f} |")
        print("\n| loader of | augmented images a CPU second |\n| --- | ---: |")
        for name, variant in (("fomo", "mobilenetv2_0.35_x8"), ("rtmdet", "nano")):
            print(f"| {name} {variant} | {augmented(name, variant):,.0f} |")
        if args.images:
            long_epoch([samples[i % len(samples)] for i in range(args.images)])


def long_epoch(samples: Sequence[Sample]) -> None:
    """One epoch of augmented batches without a cache; memory at a tenth of it, and at its end."""
    small = PreprocessSpec((96, 96))
    cache = open_cache([replace(s) for s in samples], small, "off")
    loader = TrainLoader(cache, small, AugmentConfig(mosaic=0.0), batch=32, seed=0)
    early, start = 0.0, time.perf_counter()
    for step, _ in enumerate(loader.epoch(0, total_epochs=1)):
        if step == loader.steps_per_epoch // 10:
            early = resident_mb()
    seconds = time.perf_counter() - start
    print(
        f"\n{len(samples):,} images in {seconds:.0f} s: {early:.0f} MB after a tenth of the epoch, "
        f"{resident_mb():.0f} MB at its end"
    )


if __name__ == "__main__":
    main()
