"""A stand-in for AMCT: its four steps in their order, its argument names; quantizes nothing."""

import shutil
from pathlib import Path

import onnx
import onnxruntime

AMCT_SO = onnxruntime.SessionOptions()
_state = []


def _expect(*before):
    assert tuple(_state) == before, "called after %s" % _state


def create_quant_config(config_file, model_file, skip_layers, batch_num, activation_offset):
    _expect()
    assert onnx.load(model_file).opset_import[0].version == 11 and batch_num > 0
    Path(config_file).write_text("{}")
    _state.append("config")


def quantize_model(config_file, model_file, modified_onnx_file, record_file):
    _expect("config")
    assert Path(config_file).is_file()
    shutil.copy(model_file, modified_onnx_file)
    Path(record_file).write_text("record")
    _state.append("quantized")


def save_model(modified_onnx_file, record_file, save_path):
    _expect("config", "quantized")
    assert Path(record_file).is_file()
    for kind in ("fake_quant", "deploy"):
        shutil.copy(modified_onnx_file, "%s_%s_model.onnx" % (save_path, kind))
