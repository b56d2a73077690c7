"""The model script (``.alls``): what the compiler does beyond the ONNX file.

The device takes raw uint8 pixels, rows x columns x channels, red first or gray. Everything between them
and the network's input is written here, each step exactly once. A command puts its layer directly behind
the input layer, so the last one written is the first one run (Dataflow Compiler User Guide, Model
Modification Commands).
"""

from __future__ import annotations

from collections.abc import Sequence

from edgectl.spec import PreprocessSpec
from edgectl_hailo.config import HailoConfig

_BATCH = 8
"""The compiler's own default; fewer images than this cannot fill one."""


def model_script(
    spec: PreprocessSpec,
    config: HailoConfig,
    *,
    level: int,
    images: int,
) -> str:
    """Text of the script.

    Args:
        level: optimization level.
        images: in the calibration array; all of them are used.
    """
    lines = [f"normalization1 = normalization({_numbers(spec.mean)}, {_numbers(spec.std)})"]
    if spec.channel_order == "bgr":
        # exchanges first and last channel; mean and std above are then in the network's own order
        lines.append("input_conversion1 = input_conversion(bgr_to_rgb)")
    flavor = f"optimization_level={level}"
    if config.compression_level != "auto":
        flavor += f", compression_level={config.compression_level}"
    lines.append(f"model_optimization_flavor({flavor})")
    # 64 images would be taken if it did not say how many
    lines.append(
        "model_optimization_config(calibration, "
        f"batch_size={min(_BATCH, images)}, calibset_size={images})"
    )
    if config.finetune == "on":
        lines.append(
            f"post_quantization_optimization(finetune, policy=enabled, dataset_size={images})"
        )
    if config.finetune == "off":
        lines.append("post_quantization_optimization(finetune, policy=disabled)")
    if config.max_performance:
        lines.append("performance_param(compiler_optimization_level=max)")
    return "\n".join(lines) + "\n"


def _numbers(values: Sequence[float]) -> str:
    return "[" + ", ".join(repr(float(v)) for v in values) + "]"
