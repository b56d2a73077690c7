"""The MaixII-Dock's script, run against a stand-in for the board's ``maix`` module."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import zipfile
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
from edgectl_ncnn.awnn.deploy import write_board_files

from edgectl.data.images.preprocess import resize_image
from edgectl.deploy.reference import decode, decoding
from edgectl.errors import ArtifactError, DataError
from edgectl.spec import OperatingPoint, OutputSpec, PreprocessSpec
from edgectl.testing.manifest import make_manifest

MANIFEST = make_manifest(
    task="classification",
    model="model_int8.param",
    classes=("cat", "dog", "cow"),
    preprocess=PreprocessSpec((32, 48), mean=(1.0, 2.0, 3.0), std=(50.0, 60.0, 70.0)),
    outputs=(OutputSpec("y", "class_logits", 0, 3, "softmax"),),
)
CELLS = MANIFEST.model_copy(
    update={
        "task": "centroid",
        "outputs": (OutputSpec("cells", "cell_logits", 8, 4, "sigmoid"),),
        "operating_point": OperatingPoint(0.5, "train", 1.0),
    }
)
BOXES = MANIFEST.model_copy(
    update={
        "task": "detection",
        "outputs": (
            OutputSpec("scores", "class_logits", 8, 3, "sigmoid"),
            OutputSpec("sides", "box_distances", 8, 4),
        ),
    }
)


@pytest.fixture
def bundle(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for suffix in ("param", "bin"):
        (out / f"model_int8.{suffix}").write_bytes(b"ours")
    return out


def script(bundle):
    spec = importlib.util.spec_from_file_location("board_main", bundle / "main.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def maix(monkeypatch):
    """The logits are the means of the three channels."""
    state = SimpleNamespace(loaded=None)

    class Network:
        def forward(self, pixels, *, quantize, layout):
            assert quantize
            assert layout == "hwc"
            return np.frombuffer(pixels, np.uint8).reshape(32, 48, 3).mean(axis=(0, 1))

    def load(files, opt):
        state.loaded = (files, opt)
        return Network()

    module = ModuleType("maix")
    module.nn = SimpleNamespace(load=load)
    monkeypatch.setitem(sys.modules, "maix", module)
    return state


def test_probabilities_are_a_softmax(bundle):
    write_board_files(MANIFEST, bundle, converted=None)
    main = script(bundle)
    settings = main.load_settings()
    found = main.results({"y": np.array([1.0, 2.0, 4.0], np.float32)}, settings)
    total = sum(math.exp(v) for v in (1, 2, 4))
    assert [label for label, *_ in found] == [2, 1, 0]
    assert found[0][1] == pytest.approx(math.exp(4) / total)
    # large logits, as int8 networks give them, do not overflow
    found = main.results({"y": np.array([1000.0, 0.0, 0.0], np.float32)}, settings)
    assert found[0][:2] == (0, 1.0)


def answers(heads):
    """A network that returns these, as MaixPy3 does: (rows, columns, channels), one or a list."""
    rows = [np.ascontiguousarray(h.transpose(1, 2, 0)) for h in heads]
    return SimpleNamespace(forward=lambda *_, **__: rows[0] if len(rows) == 1 else rows)


@pytest.mark.parametrize("document", [CELLS, BOXES], ids=["centers", "boxes"])
def test_objects_are_found_as_in_evaluation(bundle, document):
    write_board_files(document, bundle, converted=None)
    main = script(bundle)
    settings = main.load_settings()
    rng = np.random.default_rng(0)
    heads = [
        rng.normal(0, 2, (o.channels, 4, 6)).astype(np.float32) + (o.name == "sides") * 3
        for o in document.outputs
    ]
    found = main.results(main.heads_of(answers(heads), b"", settings), settings)
    named = {o.name: h for o, h in zip(document.outputs, heads, strict=True)}
    assert found == decode(named, decoding(document)) and len(found) > 3


def test_a_frame_keeps_its_aspect_ratio(bundle):
    write_board_files(CELLS, bundle, converted=None)
    main = script(bundle)
    settings = main.load_settings()

    class Frame:
        def __init__(self, pixels):
            self.pixels = pixels
            self.height, self.width = pixels.shape[:2]

        def resize(self, width, height):
            return Frame(cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA))

        def tobytes(self):
            return self.pixels.tobytes()

    image = np.random.default_rng(0).integers(0, 256, (240, 240, 3), dtype=np.uint8)
    fed = np.frombuffer(main.fit(Frame(image), settings), np.uint8).reshape(32, 48, 3)
    wanted, geometry = resize_image(image[..., ::-1], CELLS.preprocess)
    np.testing.assert_array_equal(fed, wanted)
    box = np.array([[2.0, 3.0, 20.0, 30.0]])
    whole = geometry.to_original(box)[0].astype(int).tolist()
    assert list(main.to_frame(box[0].tolist(), Frame(image), settings)) == whole


def test_the_network_is_loaded_as_it_was_trained(bundle, maix):
    write_board_files(MANIFEST, bundle, converted=None)
    main = script(bundle)
    main.load_network(main.load_settings())
    files, options = maix.loaded
    assert files["param"].endswith("model_int8.param")
    assert options["inputs"]["input0"] == (48, 32, 3)
    assert options["outputs"]["output0"] == (1, 1, 3)
    assert options["mean"] == [1.0, 2.0, 3.0]
    assert options["norm"] == pytest.approx([1 / 50, 1 / 60, 1 / 70])


def test_golden_vectors_are_compared(bundle, maix, capsys, monkeypatch):
    write_board_files(MANIFEST, bundle, converted=None)
    golden = bundle / "golden"
    golden.mkdir()
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    (golden / "0.rgb").write_bytes(image.tobytes())
    np.save(golden / "0.classes.npy", image.mean(axis=(0, 1)).astype(np.float32) + 0.25)
    entry = {"image": "0.rgb", "source": "a.jpg", "outputs": {"y": "0.classes.npy"}}
    (golden / "golden.json").write_text(json.dumps({"entries": [entry]}))
    monkeypatch.setattr(sys, "argv", ["main.py", "--golden"])
    assert script(bundle).main() == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].strip() == "a.jpg y largest difference 0.25" and said[-1] == "self-test passed"
    np.save(golden / "0.classes.npy", np.zeros(3, np.float32))
    assert script(bundle).main() == 4
    assert "self-test FAILED" in capsys.readouterr().out


def test_a_converted_result_takes_the_place_of_our_files(bundle, tmp_path):
    archive = tmp_path / "result.zip"
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("out/net_int8.param", "theirs")
        z.writestr("out/net_int8.bin", "theirs")
    write_board_files(MANIFEST, bundle, converted=archive)
    settings = json.loads((bundle / "model.json").read_text())
    assert settings["param"] == "net_int8.param"
    assert settings["converted"]
    assert not (bundle / "model_int8.param").exists()
    assert (bundle / "net_int8.bin").read_text() == "theirs"
    described = (bundle / "net_int8.mud").read_text()
    assert "param = net_int8.param" in described
    assert "input0 = 48, 32, 3, 1.0, 2.0, 3.0" in described


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ({"a.param": "x"}, ArtifactError),
        ({"a.param": "x", "b.param": "x", "a.bin": "x"}, ArtifactError),
        ({"../a.param": "x", "a.bin": "x"}, DataError),
    ],
)
def test_other_archives_are_refused(bundle, tmp_path, entries, error):
    archive = tmp_path / "result.zip"
    with zipfile.ZipFile(archive, "w") as z:
        for name, text in entries.items():
            z.writestr(name, text)
    with pytest.raises(error):
        write_board_files(MANIFEST, bundle, converted=archive)
