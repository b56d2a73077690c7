from __future__ import annotations

import pytest

from edgectl.config.layers import (
    Layer,
    environment_layer,
    file_layer,
    parse_value,
    resolve,
    set_layer,
)
from edgectl.config.resolved import dumps, load
from edgectl.config.schema import RunConfig
from edgectl.errors import ConfigError


def test_later_layers_win_and_keep_their_origin():
    config, merged = resolve(
        [
            Layer("family", {"train": {"epochs": 10, "batch": 4}}),
            None,
            Layer("edgectl.toml", {"train": {"epochs": 20}}),
            set_layer(["train.optimizer.lr=0.5"]),
        ]
    )
    assert (config.train.epochs, config.train.batch, config.train.optimizer.lr) == (20, 4, 0.5)
    assert merged.origin("train.epochs") == "edgectl.toml"
    assert merged.origin("train.batch") == "family"
    assert merged.origin("train.optimizer") == "--set"


def test_environment():
    layer = environment_layer({"EDGECTL__TRAIN__EPOCHS": "7", "EDGECTL_DATA": "x", "HOME": "y"})
    assert layer.table == {"train": {"epochs": 7}}


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("[1, 2]", [1, 2]), ("adamw", "adamw"), ('"8"', "8")],
)
def test_values(text, value):
    assert parse_value(text) == value


@pytest.mark.parametrize(
    ("assignment", "words", "fix"),
    [
        ("train.epoch=3", "unknown key 'train.epoch'", "'epochs'"),
        ("trian.epochs=3", "unknown key 'trian'", "'train'"),
        ("train.optimizer.learning=1", "unknown key 'train.optimizer.learning'", None),
        ("train.epochs=many", "train.epochs", "train.epochs = 100"),
        ("train.epochs=-1", "train.epochs", "train.epochs = 100"),
        ("train.epochs=true", "train.epochs", "train.epochs = 100"),
        ("train.tensorboard=3", "train.tensorboard", "train.tensorboard = true"),
        ("train.optimizer.name=adma", "train.optimizer.name", '= "adamw"'),
        ("augment.scale=[1, 'x']", "augment.scale.1", "augment.scale = [0.7, 1.4]"),
        ("input_size=[100000, 96]", "input_size.0", "edgectl init"),
        ("data.classes=3", "data.classes", "edgectl init"),
        ("train=3", "train", "edgectl init"),
        ("train.epochs.x=3", "train.epochs", "train.epochs = 100"),
        ("train.epochs=1979-05-27", "no JSON form", "in quotes"),
    ],
)
def test_mistakes_name_key_origin_and_remedy(assignment, words, fix):
    with pytest.raises(ConfigError) as e:
        resolve([set_layer([assignment])])
    assert words in e.value.message
    assert e.value.where == (None if "JSON" in words else "--set")
    if fix:
        assert fix in str(e.value.fix)


@pytest.mark.parametrize("text", ["train.epochs", "=3", ".a=3", "a..b=1"])
def test_not_an_assignment(text):
    with pytest.raises(ConfigError, match="not an assignment"):
        set_layer([text])


def test_not_toml(tmp_path):
    path = tmp_path / "edgectl.toml"
    path.write_text("[train\nepochs = 3")
    with pytest.raises(ConfigError, match="not TOML"):
        file_layer(path)


def test_resolved_round_trip(tmp_path):
    config, _ = resolve([set_layer(["input_size=[96, 96]", "model.width=0.35", "gates=['f1>=1']"])])
    path = tmp_path / "config.resolved.toml"
    path.write_text(dumps(config))
    assert load(path) == config
    path.write_text(dumps(RunConfig()))
    assert load(path) == RunConfig()
