"""The C++ project: its decoder against the families' own, its main program against a stand-in for ncnn."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import torch
from edgectl_ncnn.board.deploy import write_project

from edgectl.data.images.preprocess import resize_image
from edgectl.deploy.reference import decode, decoding
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
  enum { PIXEL_RGB = 1, PIXEL_GRAY = 3 };
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
  Extractor create_extractor() const { return Extractor(); }
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
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-O1", "-ffp-contract=off"]
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
    lines = run(tmp_path, manifest("classification", specs, (32, 32)), [logits], (32, 32))
    assert [name for name, _ in lines] == ["b", "c", "a"]
    score = lines[0][1]
    assert float(score) == pytest.approx(torch.softmax(logits, 1)[0, 1].item(), abs=1e-4)


def grids_of(family, sizes, num_classes, rng, special):
    """Heads of few values, so that many are equal, and some that are no numbers."""
    heads = []
    for spec, size in zip(family, sizes, strict=True):
        values = rng.integers(-3, 4, (spec.channels, *size)).astype(np.float32)
        if special:
            values[rng.random(values.shape) < 0.03] = np.nan
            values[rng.random(values.shape) < 0.03] = np.inf
        heads.append(torch.from_numpy(values)[None])
    return heads


def decoded(document, heads):
    """What the boards with Python find."""
    named = {s.name: h[0].numpy() for s, h in zip(document.outputs, heads, strict=True)}
    with np.errstate(all="ignore"):
        return decode(named, decoding(document))


@pytest.mark.parametrize(
    "special",
    [pytest.param(False, marks=pytest.mark.slow), True],
    ids=["ties and inside out", "no numbers"],
)
@pytest.mark.parametrize("task", ["detection", "quality", "centroid"])
def test_ties_negative_sides_and_what_is_no_number_are_as_in_python(tmp_path, task, special):
    strides = (8, 16)
    specs = [OutputSpec(f"c{s}", "class_logits", s, 3, "sigmoid") for s in strides]
    specs += [OutputSpec(f"b{s}", "box_distances", s, 4, offset=0.5) for s in strides]
    if task == "quality":
        specs += [OutputSpec(f"q{s}", "centerness_logits", s, 1, "sigmoid") for s in strides]
    if task == "centroid":
        specs = [OutputSpec("cells", "cell_logits", 8, 4, "sigmoid")]
    size = (48, 32)
    document = manifest("centroid" if task == "centroid" else "detection", specs, size, 0.3)
    sizes = [(-(-size[0] // s.stride), -(-size[1] // s.stride)) for s in specs]
    heads = grids_of(specs, sizes, 3, np.random.default_rng(5), special)
    wanted = decoded(document, heads)
    lines = run(tmp_path, document, heads, size)
    assert len(wanted) > 3
    assert [name for name, *_ in lines] == ["abc"[label] for label, *_ in wanted]
    for (_, score, *box), (_, value, place) in zip(lines, wanted, strict=True):
        assert float(score) == pytest.approx(value, abs=1e-4)
        np.testing.assert_allclose([float(v) for v in box], place, atol=0.06)


def test_the_self_test(tmp_path):
    specs = [OutputSpec("cells", "cell_logits", 8, 3, "sigmoid")]
    document = manifest("centroid", specs, (16, 24), 0.4)
    head = torch.randn(1, 3, 2, 3, generator=torch.Generator().manual_seed(0))
    run(tmp_path, document, [head], (16, 24))
    golden = tmp_path / "golden"
    golden.mkdir()
    (golden / "0.rgb").write_bytes(bytes(16 * 24 * 3))

    def verdict(values):
        np.save(golden / "0.cells.npy", values.astype(np.float32))
        words = ["./run", "--golden"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()[-1] if done.stdout else done.stderr

    assert verdict(head[0].numpy() * 1.01) == (0, "self-test passed")
    code, said = verdict(head[0].numpy() + 1)
    assert code == 4 and said.startswith("self-test FAILED")
    assert verdict(np.zeros((3, 2, 2)))[0] == 1
    shutil.rmtree(golden)
    assert verdict_absent(tmp_path) == 1


def verdict_absent(directory):
    words = ["./run", "--golden"]
    return subprocess.run(words, cwd=directory, capture_output=True, check=False).returncode


def test_hostile_names_compile_and_mean_what_was_said(tmp_path):
    names = ('"); system("touch harm', "a b", "*/", "??/", "back\\slash")
    specs = [OutputSpec("y", "class_logits", 0, 5, "softmax")]
    document = manifest("classification", specs, (8, 8)).model_copy(
        update={"classes": names, "operating_point": OperatingPoint(0.1, "*/ x; /* #error", 0.5)}
    )
    logits = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]])
    lines = run(tmp_path, document, [logits], (8, 8))
    said = " ".join(" ".join(words) for words in lines)
    assert said.startswith('"); system("touch harm')
    assert not (tmp_path / "harm").exists()


OPENCV = pathlib.Path("/usr/include/opencv4")


@pytest.mark.skipif(not (OPENCV / "opencv2/videoio.hpp").is_file(), reason="no OpenCV for C++")
@pytest.mark.parametrize("spec", [
    PreprocessSpec((48, 64)),
    PreprocessSpec((48, 64), pad_side="center", pad_value=3, channel_order="bgr"),
    PreprocessSpec((48, 64), resize="stretch"),
])  # fmt: skip
def test_images_are_fitted_as_in_training(tmp_path, spec):
    document = manifest(
        "classification", [OutputSpec("y", "class_logits", 0, 3, "softmax")], (48, 64)
    )
    write_project(document.model_copy(update={"preprocess": spec}), tmp_path)
    (tmp_path / "net.h").write_text(NCNN)
    (tmp_path / "fit.cpp").write_text(FIT)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-DWITH_OPENCV", f"-I{OPENCV}"]
    libraries = ["-lopencv_core", "-lopencv_imgproc", "-lopencv_imgcodecs", "-lopencv_videoio"]
    subprocess.run(["g++", *flags, "-fsyntax-only", "main.cpp"], cwd=tmp_path, check=True)
    subprocess.run(["g++", *flags, "fit.cpp", "-o", "fit", *libraries], cwd=tmp_path, check=True)
    rng = np.random.default_rng(0)
    for height, width in ((200, 133), (20, 31), (48, 64), (7, 300)):
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        (tmp_path / "image.raw").write_bytes(image.tobytes())
        subprocess.run(["./fit", str(height), str(width)], cwd=tmp_path, check=True)
        found = np.fromfile(tmp_path / "out.raw", np.uint8).reshape(48, 64, 3)
        # another version of OpenCV may round an average the other way
        assert np.abs(found.astype(int) - resize_image(image, spec)[0]).max() <= 1


FIT = """
#include <cstdlib>
#include <fstream>
#include "images.h"
int main(int, char** argv) {
  cv::Mat image(std::atoi(argv[1]), std::atoi(argv[2]), CV_8UC3);
  std::ifstream("image.raw", std::ios::binary).read(reinterpret_cast<char*>(image.data), image.total() * 3);
  const std::vector<unsigned char> out = edgectl::fit(image);
  std::ofstream("out.raw", std::ios::binary).write(reinterpret_cast<const char*>(out.data()), out.size());
}
"""


def test_heads_nobody_decodes_are_refused(tmp_path):
    document = manifest("detection", [OutputSpec("m", "masks", 8, 4)], (32, 32))
    with pytest.raises(UsageError, match="masks"):
        write_project(document, tmp_path)
    assert not list(tmp_path.iterdir())
