"""AIPP, emulated from the file that is written, against the preprocessing of training."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from edgectl_ascend.aipp import aipp_config, emulate, read_aipp, to_nv12

from edgectl.data.images.preprocess import normalize, to_gray
from edgectl.plugins.registry import build_registry, load_entry
from edgectl.spec import PreprocessSpec


def specs() -> dict[str, PreprocessSpec]:
    """Of every installed family, and one whose channels are all different."""
    found = {}
    for info in build_registry().families.infos():
        family = load_entry(info.entry, info.name)
        for variant in info.variants:
            table = family.presets(variant.name)["model"]
            config = family.config_type.model_validate(table, strict=False)
            found[f"{info.name}-{variant.name}"] = family.preprocess(config, (32, 48))
    other = {"mean": (103.53, 116.28, 123.675), "std": (57.375, 57.12, 58.395)}
    found["bgr"] = PreprocessSpec((32, 48), channel_order="bgr", **other)
    found["gray"] = found["bgr"].to_gray()
    return found


@pytest.mark.parametrize(("name", "spec"), specs().items(), ids=list(specs()))
def test_pixels_become_what_training_feeds(name: str, spec: PreprocessSpec) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    # AIPP exchanges red and blue itself
    fed = to_gray(rgb[..., ::-1]) if spec.channels == 1 else rgb
    ordered = fed[..., ::-1].copy() if spec.channel_order == "bgr" else fed
    expected = normalize(torch.from_numpy(ordered).permute(2, 0, 1)[None], spec)[0].numpy()
    got = emulate(read_aipp(aipp_config(spec, "RGB888_U8")), fed)
    assert len(got) == spec.channels
    np.testing.assert_allclose(got, expected, atol=1e-3)


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_a_decoders_frames_come_within_their_own_rounding(order: str) -> None:
    spec = PreprocessSpec((32, 48), channel_order=order)
    # colors without fine detail: NV12 halves the resolution of color
    ramp = np.linspace(20, 230, 48, dtype=np.float32)
    rgb = np.stack([np.tile(ramp, (32, 1)), np.full((32, 48), 90.0), np.tile(ramp[::-1], (32, 1))])
    rgb = rgb.transpose(1, 2, 0).astype(np.uint8)
    got = emulate(read_aipp(aipp_config(spec, "YUV420SP_U8")), to_nv12(rgb)) * 255
    wanted = (rgb[..., ::-1] if order == "bgr" else rgb).transpose(2, 0, 1)
    assert np.abs(got - wanted).max() < 8
    assert np.abs(got - wanted).mean() < 2.5


def test_what_the_conversion_is_exact_on() -> None:
    """BT.601: 16 is black, 235 is white (https://www.itu.int/rec/R-REC-BT.601)."""
    aipp = read_aipp(aipp_config(PreprocessSpec((2, 2), std=(1.0, 1.0, 1.0)), "YUV420SP_U8"))
    for luma, grey in ((16, 0), (235, 255)):
        frame = np.concatenate([np.full((2, 2), luma), np.full((1, 2), 128)]).astype(np.uint8)
        np.testing.assert_array_equal(emulate(aipp, frame), np.full((3, 2, 2), grey, np.float32))


def test_the_mean_is_taken_once_and_with_its_fraction() -> None:
    text = aipp_config(PreprocessSpec((8, 8), mean=(123.675, 116.28, 103.53)), "RGB888_U8")
    assert "mean_chn_0: 0\n" in text and "min_chn_0: 123.675000\n" in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "aipp_op {}",
        "aipp_op { aipp_mode: dynamic input_format: RGB888_U8 }",
        "aipp_op { a { } }",
    ],
)
def test_files_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"aipp_op|static"):
        read_aipp(text)


def test_gray_is_one_plane_without_a_conversion() -> None:
    fields = read_aipp(aipp_config(PreprocessSpec((8, 8)).to_gray(), "RGB888_U8")).fields
    assert fields["input_format"] == "YUV400_U8"
    assert fields["csc_switch"] == fields["rbuv_swap_switch"] == "false"
    assert not [k for k in fields if k.startswith("matrix") or k.endswith(("chn_1", "chn_2"))]


def test_every_field_stands_once() -> None:
    lines = aipp_config(PreprocessSpec((8, 8)), "YUV420SP_U8").splitlines()[1:-1]
    keys = sorted(line.split(":")[0].strip() for line in lines)
    assert all(a != b for a, b in pairwise(keys))
