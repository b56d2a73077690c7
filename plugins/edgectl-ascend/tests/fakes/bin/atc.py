"""A stand-in for CANN's atc: checks its arguments as the real one documents them, writes an OM of its own.

The OM is a zip of the ONNX file and aipp.cfg, which the stand-in for ais_bench runs.
"""

import re
import sys
import zipfile
from pathlib import Path

import onnx

FLAGS = {
    "model",
    "framework",
    "output",
    "input_format",
    "input_shape",
    "soc_version",
    "insert_op_conf",
    "precision_mode",
    "output_type",
    "log",
}
SOCS = {"Ascend310", "Ascend310P3", "Ascend310B1", "Ascend310B4", "Ascend910B3"}
FORMATS = {"RGB888_U8": 3, "YUV420SP_U8": 3, "YUV400_U8": 1}
KEYS = re.compile(
    r"aipp_mode|input_format|src_image_size_[wh]|crop|csc_switch|rbuv_swap_switch"
    r"|matrix_r[012]c[012]|input_bias_[012]|mean_chn_[012]|min_chn_[012]|var_reci_chn_[012]"
)


def refuse(code, text):
    print("ATC run failed, Please check the detail log\n%s: %s" % (code, text))
    sys.exit(1)


def main():
    given = {}
    for word in sys.argv[1:]:
        flag, eq, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not eq or flag not in FLAGS or flag in given:
            refuse("E10007", "unknown or repeated argument %s" % word)
        given[flag] = value
    for flag in ("model", "framework", "output", "soc_version"):
        if flag not in given:
            refuse("E10004", "value for [--%s] is empty" % flag)
    if given["framework"] != "5":
        refuse("E10007", "framework of ONNX is 5")
    if given["soc_version"] not in SOCS:
        refuse("E10001", "soc_version %s is not supported" % given["soc_version"])
    if not Path(given["model"]).is_file():
        refuse("E10003", "%s does not exist" % given["model"])
    if given["output"].endswith(".om"):
        refuse("E10007", "output without suffix")
    if given["precision_mode"] not in ("allow_fp32_to_fp16", "force_fp16"):
        refuse("E10007", "precision_mode")
    model = onnx.load(given["model"])
    if model.opset_import[0].version not in range(9, 16):
        refuse("E16005", "opset")
    (image,) = model.graph.input
    shape = [d.dim_value for d in image.type.tensor_type.shape.dim]
    if given["input_shape"] != "%s:%s" % (image.name, ",".join(map(str, shape))):
        refuse("E10002", "input_shape %s" % given["input_shape"])
    text = Path(given["insert_op_conf"]).read_text()
    lines = [line.strip() for line in text.strip().splitlines()]
    if lines[0] != "aipp_op {" or lines[-1] != "}":
        refuse("E10033", "not an aipp_op")
    fields = dict(line.split(": ") for line in lines[1:-1])
    if not all(KEYS.fullmatch(k) for k in fields) or fields["input_format"] not in FORMATS:
        refuse("E10033", "unknown field of aipp_op")
    if [fields["src_image_size_h"], fields["src_image_size_w"]] != [str(n) for n in shape[2:]]:
        refuse("E10034", "src_image_size")
    if FORMATS[fields["input_format"]] != shape[1]:
        refuse("E10034", "channels of input_format")
    if any("." in fields["mean_chn_%d" % i] for i in range(shape[1])):
        refuse("E10033", "mean_chn is an integer")
    with zipfile.ZipFile(given["output"] + ".om", "w") as om:
        om.write(given["model"], "model.onnx")
        om.write(given["insert_op_conf"], "aipp.cfg")
    print("ATC run success, welcome to the next use.")


if __name__ == "__main__":
    main()
