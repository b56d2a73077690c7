"""model.onnx to int8 with AMCT: model_fake_quant_model.onnx, which ONNX Runtime simulates, and
model_deploy_model.onnx, which atc compiles.

Runs in the Python that has amct_onnx (CANN's AMCT, which wants opset 11). Calibrates on calibration.npy,
which holds the network's own input: AMCT works before AIPP is put in front of it.
"""

import amct_onnx as amct
import numpy as np
import onnxruntime

CONFIG, RECORD, MODIFIED = "amct.json", "amct_record.txt", "amct_modified.onnx"


def main():
    """The four steps of AMCT's post-training quantization."""
    batches = np.load("calibration.npy", mmap_mode="r")
    amct.create_quant_config(
        config_file=CONFIG,
        model_file="model.onnx",
        skip_layers=[],
        batch_num=len(batches),
        activation_offset=True,
    )
    amct.quantize_model(
        config_file=CONFIG,
        model_file="model.onnx",
        modified_onnx_file=MODIFIED,
        record_file=RECORD,
    )
    session = onnxruntime.InferenceSession(
        MODIFIED, amct.AMCT_SO, providers=["CPUExecutionProvider"]
    )
    for batch in batches:
        session.run(None, {"images": np.ascontiguousarray(batch[None])})
    amct.save_model(modified_onnx_file=MODIFIED, record_file=RECORD, save_path="model")


if __name__ == "__main__":
    main()
