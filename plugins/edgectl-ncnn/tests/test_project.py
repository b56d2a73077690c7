"""The C++ project: its decoder against the families' own, its main program against a stand-in for ncnn."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
import torch
from edgectl_ncnn.board.deploy import write_project

from edgectl.errors import UsageError
from edgectl.spec import OperatingPoint, OutputSpec, PreprocessSpec
from edgectl.testing.manifest import make_manifest

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")

NCNN = """
#pragma once
#include <cstdio>
#include <string>
#include <vector>
namespace ncnn {
struct Mat {
  enum { PIXEL_RGB = 1 };
  int w = 0, h = 0, c = 0;
  std::vector<float> data;
  static Mat from_pixels(const unsigned char*, int, int, int) { return Mat(); }
  void substract_mean_normalize(const float*, const float*) {}
  const float* channel(int i) const { return data.data() + static_cast<size_t>(i) * w * h; }
};
struct Extractor {
  void input(const char*, const Mat&) {}
  int extract(const char* name, Mat& m) {
    std::FILE* f = std::fopen((std::string(name) + ".raw").c_str(), "rb");
    int shape[3];
    if (!f || std::fread(shape, 4, 3, f) != 3) return 1;
    m.c = shape[0]; m.h = shape[1]; m.w = shape[2];
    m.data.resize(static_cast<size_t>(m.c) * m.h * m.w);
    const size_t read = std::fread(m.data.data(), 4, m.data.size(), f);
    std::fclose(f);
    return read == m.data.size() ? 0 : 1;
  }
};
struct Net {
  int load_param(const char*) { return 0; }
  int load_model(const char*) { return 0; }
  Extractor create_extractor() { return Extractor(); }
};
}
"""


def manifest(task, specs, size, threshold=None):
    return make_manifest(
        task=task,
        model="model.param",
        classes=("a", "b", "c"),
        preprocess=PreprocessSpec(size),
        outputs=tuple(specs),
        operating_point=None if threshold is None else OperatingPoint(threshold, "train", 0.5),
    )


def run(directory, document, heads, size):
    """Lines the program prints, split into words."""
    write_project(document, directory)
    (directory / "net.h").write_text(NCNN)
    for spec, head in zip(document.outputs, heads, strict=True):
        values = head[0].numpy().astype(np.float32)
        # ncnn holds a plain vector as one row
        shape = values.shape if values.ndim == 3 else (1, 1, len(values))
        data = np.array(shape, np.int32).tobytes() + values.tobytes()
        (directory / f"{spec.name}.raw").write_bytes(data)
    (directory / "0.rgb").write_bytes(bytes(size[0] * size[1] * 3))
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run(["g++", *flags, "main.cpp", "-o", "run"], cwd=directory, check=True)
    told = subprocess.run(
        ["./run", "0.rgb"], cwd=directory, capture_output=True, text=True, check=True
    )
    return [line.split() for line in told.stdout.splitlines()]


def assert_same(lines, found, classes):
    assert len(lines) == len(found.scores)
    ours = sorted(
        (classes[label], round(float(score), 4), *(round(float(v), 1) for v in box))
        for label, score, box in zip(found.labels, found.scores, found.boxes_xyxy, strict=True)
    )
    theirs = sorted((n, float(s), *(float(v) for v in box)) for n, s, *box in lines)
    for a, b in zip(ours, theirs, strict=True):
        assert a[0] == b[0]
        assert a[1:] == pytest.approx(b[1:], abs=0.11)


@pytest.mark.parametrize("seed", range(3))
def test_centers(tmp_path, seed):
    fomo = pytest.importorskip("edgectl_fomo.model")
    config = fomo.FomoFamily.config_type()
    family = fomo.FomoFamily()
    specs = family.outputs(config, num_classes=3)
    # rounded, so that neighboring cells often tie
    logits = torch.randn(1, 4, 9, 12, generator=torch.Generator().manual_seed(seed)).mul(2).round()
    post = family.postprocess(config, num_classes=3)
    post.threshold = 0.7
    (found,) = post([logits], specs)
    lines = run(tmp_path, manifest("centroid", specs, (72, 96), 0.7), [logits], (72, 96))
    assert len(lines) > 3
    assert_same(lines, found, "abc")


@pytest.mark.parametrize("exp_on_reg", [False, True])
def test_boxes(tmp_path, exp_on_reg):
    rtmdet = pytest.importorskip("edgectl_rtmdet.model")
    family = rtmdet.RtmdetFamily()
    config = family.config_type(exp_on_reg=exp_on_reg)
    specs = family.outputs(config, num_classes=3)
    g = torch.Generator().manual_seed(0)
    grids = [(12, 8), (6, 4), (3, 2)]
    heads = [torch.randn(1, 3, *n, generator=g) for n in grids]
    heads += [torch.rand(1, 4, *n, generator=g) * 2 for n in grids]
    post = family.postprocess(config, num_classes=3)
    post.threshold = 0.25
    (found,) = post(heads, specs)
    lines = run(tmp_path, manifest("detection", specs, (96, 64)), heads, (96, 64))
    assert len(lines) > 20
    assert_same(lines, found, "abc")


def test_classes(tmp_path):
    resnet = pytest.importorskip("edgectl_resnet.model")
    family = resnet.ResnetFamily()
    specs = family.outputs(family.config_type(), num_classes=3)
    logits = torch.tensor([[1.0, 300.0, 299.0]])
    ((name, score, *_),) = run(
        tmp_path, manifest("classification", specs, (32, 32)), [logits], (32, 32)
    )
    assert name == "b"
    assert float(score) == pytest.approx(torch.softmax(logits, 1)[0, 1].item(), abs=1e-4)


def test_heads_nobody_decodes_are_refused(tmp_path):
    document = manifest("detection", [OutputSpec("m", "masks", 8, 4)], (32, 32))
    with pytest.raises(UsageError, match="masks"):
        write_project(document, tmp_path)
    assert not list(tmp_path.iterdir())
