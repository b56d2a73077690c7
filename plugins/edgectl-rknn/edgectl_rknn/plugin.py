"""What this distribution registers. Light: no torch here, and the compiler is never imported."""

from __future__ import annotations

from edgectl.plugins.hookspecs import hookimpl
from edgectl.plugins.info import BackendInfo, ToolInfo

RKNN_TOOLKIT = ToolInfo(
    name="rknn",
    module="rknn",
    distribution="rknn-toolkit2",
    requirements=(
        "torch==2.13.*",
        "numpy==1.26.4",
        "onnx==1.18.0",
        "onnxruntime>=1.17,<2",
        "protobuf==4.25.4",
        "setuptools<81",  # later ones have no pkg_resources, which the toolkit imports
        "opencv-python-headless>=4.9,<4.12",
        "fast-histogram",
        "psutil",
        "ruamel.yaml",
        "scipy<1.17",
        "tqdm",
    ),
    bare=("rknn-toolkit2==2.5.0",),  # asks for a torch and an onnx that exclude each other
)


@hookimpl
def edgectl_register_backends() -> list[BackendInfo]:
    """One backend, for every chip the compiler knows."""
    return [
        BackendInfo(
            name="rknn",
            summary=".rknn files for Rockchip NPUs: int8 or fp16",
            entry="edgectl_rknn.backend:RknnBackend",
            precisions=("int8", "fp16"),
            runtimes=("simulator", "onnxruntime"),
            input="normalized",
            takes="network",
            tool=RKNN_TOOLKIT,
        )
    ]
