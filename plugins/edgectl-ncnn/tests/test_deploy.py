"""The MaixII-Dock's script, run against a stand-in for the board's ``maix`` module."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import zipfile
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from edgectl_ncnn.awnn.deploy import write_board_files

from edgectl.errors import ArtifactError, DataError, UsageError
from edgectl.spec import PreprocessSpec
from edgectl.testing.manifest import make_manifest

MANIFEST = make_manifest(
    task="classification",
    model="model_int8.param",
    classes=("cat", "dog", "cow"),
    preprocess=PreprocessSpec((32, 48), mean=(1.0, 2.0, 3.0), std=(50.0, 60.0, 70.0)),
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
    found = main.softmax([1.0, 2.0, 4.0])
    total = sum(math.exp(v) for v in (1, 2, 4))
    assert found == pytest.approx([math.exp(v) / total for v in (1, 2, 4)])
    assert main.best_class([1.0, 9.0, 4.0], MANIFEST.classes)[0] == "dog"
    # large logits, as int8 networks give them, do not overflow
    assert main.best_class([1000.0, 0.0, 0.0], MANIFEST.classes) == ("cat", 1.0)


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
    entry = {"image": "0.rgb", "source": "a.jpg", "outputs": {"classes": "0.classes.npy"}}
    (golden / "golden.json").write_text(json.dumps({"entries": [entry]}))
    monkeypatch.setattr(sys, "argv", ["main.py", "--golden"])
    script(bundle).main()
    assert capsys.readouterr().out == "a.jpg largest difference 0.25 same class: True\n"


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


def test_only_classifiers(bundle):
    with pytest.raises(UsageError, match="classes"):
        detector = MANIFEST.model_copy(update={"task": "detection"})
        write_board_files(detector, bundle, converted=None)
