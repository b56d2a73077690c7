"""The exact command of CANN's Ascend Tensor Compiler."""

from __future__ import annotations

from edgectl.backends.network import INPUT
from edgectl.spec import PreprocessSpec
from edgectl_ascend.config import AscendConfig

_ONNX = 5  # of --framework
AIPP_FILE = "aipp.cfg"


def atc_arguments(
    config: AscendConfig, model: str, product: str, spec: PreprocessSpec
) -> tuple[str, ...]:
    """Behind ``atc``.

    Args:
        model: the ONNX file.
        product: ``NAME.om``.
        spec: gives size and channels of the input.
    """
    height, width = spec.input_size
    return (
        f"--model={model}",
        f"--framework={_ONNX}",
        f"--output={product.removesuffix('.om')}",  # atc appends it
        "--input_format=NCHW",
        f"--input_shape={INPUT}:1,{spec.channels},{height},{width}",
        f"--soc_version={config.soc}",
        f"--insert_op_conf={AIPP_FILE}",
        f"--precision_mode={config.precision_mode}",
        "--output_type=FP32",
        f"--log={config.log}",
    )
