"""The configuration, strict: an unknown key or a wrong type is an error that names the key.

One object configures a run. A family adds its ``[model]`` table (``Family.config_type``), a backend its
``[backend.<name>]`` table (``Backend.config_type``); core keeps both as plain dicts it does not read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgectl.spec import LARGEST_SIDE, ChannelOrder

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Positive = Annotated[int, Field(gt=0)]
Side = Annotated[int, Field(gt=0, le=LARGEST_SIDE)]


class StrictModel(BaseModel):
    """Base of every configuration table, in core and in plugins."""

    model_config = ConfigDict(
        extra="forbid",  # a misspelt key must not pass in silence
        strict=True,  # "8" is not 8: a string where a number belongs is a mistake
        frozen=True,  # resolved once, before the run starts
    )


class DataConfig(StrictModel):
    """Which images. ``holdout`` is the share of *train* kept back to choose the operating point."""

    name: str = ""
    """Name in the catalog, directory, annotation file or archive."""
    format: str = "auto"
    """Label format; auto recognizes it."""
    images: str = ""
    """Directory of the images, where it is not where the format has it."""
    yolo_columns: Literal["auto", "box", "polygon", "pixels", "corners"] = "auto"
    """What the numbers of YOLO lines are: auto takes it from the whole set. box: the first five are
    class cx cy width height, whatever follows; polygon: points; pixels: a box in pixels; corners:
    class x0 y0 x1 y1."""
    classes: tuple[str, ...] = ()
    """Only these, in this order; empty takes all."""
    train_split: str = "train"
    """Split that is trained on."""
    valid_split: str = "valid"
    """Split that scores are computed on."""
    holdout: Annotated[float, Field(ge=0.0, le=0.5)] = 0.1
    """Share of *train* kept back to choose the best epoch and the operating point."""
    on_error: Literal["stop", "skip"] = "stop"
    """An image that cannot be decoded: stop with an error, or leave it out with a warning that counts
    and names such images. skip looks at every image once before it begins."""
    cache: Literal["auto", "ram", "disk", "off"] = "auto"
    """Where decoded images are kept: auto takes memory while they fit into a gigabyte, else a
    memory-mapped file in the user's cache."""


class PreprocessConfig(StrictModel):
    """Overrides of the family's PreprocessSpec; None leaves it what the family says. A run's resolved
    configuration holds the outcome."""

    resize: Literal["letterbox", "stretch"] | None = None
    """letterbox keeps the aspect ratio and pads; stretch does not."""
    pad_side: Literal["bottom_right", "center"] | None = None
    """bottom_right puts the image at the origin; center splits the border."""
    pad_value: Annotated[int, Field(ge=0, le=255)] | None = None
    """Value of the border in every channel, 0..255."""
    channel_order: ChannelOrder | None = None
    """gray: the network sees one channel (.299 red + .587 green + .114 blue), as the Y plane of a camera
    is. Else the family's own order."""


class AugmentConfig(StrictModel):
    """Training-time augmentation. Geometry is relative to the input size."""

    mosaic: Probability = 0.5
    """Share of samples built from four images."""
    mosaic_off_fraction: Probability = 0.1
    """Last share of the epochs without mosaic."""
    flip: Probability = 0.5
    """Share of samples mirrored left to right."""
    hue: Annotated[float, Field(ge=0.0, le=90.0)] = 5.0
    """Half range of the hue shift, in OpenCV's 0..180 units."""
    saturation: Probability = 0.3
    """Half range of the relative saturation change."""
    value: Probability = 0.3
    """Half range of the relative brightness change."""
    grey: Probability = 0.0
    """Share of samples without color."""
    blur: Probability = 0.0
    """Share of samples softened, as a cheap camera's are."""
    scale: tuple[float, float] = (0.7, 1.4)
    """Zoom range of the affine transform."""
    translate: Probability = 0.1
    """Half range of the shift, as a share of the input size."""
    rotate: Annotated[float, Field(ge=0.0, le=45.0)] = 0.0
    """Half range, degrees."""
    window: tuple[Share, Share] = (1.0, 1.0)
    """Height and width of a sample as shares of the input's, rounded up to multiples of 32. Networks
    that see no further than their receptive field learn as much from a part, and a letterboxed
    photograph fills two thirds of a square."""
    repeats: Positive = 1
    """Samples made of each image an epoch (Hoffer et al., 2020, arXiv:1901.09335)."""


class ClassifyConfig(StrictModel):
    """Training images of families that classify whole images; ``[augment]`` is for those that find
    objects in them."""

    crop_area: tuple[float, float] = (0.8, 1.0)
    """Share of the image a random crop keeps; smaller ones may cut off what the image shows."""
    crop_ratio: tuple[float, float] = (0.8, 1.25)
    """Its width to height, relative to the image's."""
    flip: Probability = 0.5
    """Share of samples mirrored left to right."""
    randaugment: Annotated[int, Field(ge=0)] = 0
    """Random operations an image goes through: for long runs, short ones do not profit."""
    magnitude: Probability = 0.2
    """Their strength, of the paper's full ranges."""
    mixup: Annotated[float, Field(ge=0.0)] = 0.0
    """alpha of the Beta distribution two images are blended with; 0 never blends."""
    cutmix: Annotated[float, Field(ge=0.0)] = 0.0
    """alpha of the share a patch of another image covers; 0 never pastes."""
    mix_share: Probability = 1.0
    """Share of batches mixed, where ``mixup`` or ``cutmix`` is on; with both, half each."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: images of a rare class count more in the loss, classes alike in all."""


class OptimizerConfig(StrictModel):
    """How weights follow gradients."""

    name: Literal["sgd", "adamw"] = "adamw"
    """Optimizer."""
    lr: Annotated[float, Field(gt=0.0)] = 0.002
    """Learning rate after warm-up."""
    momentum: Probability = 0.9
    """Momentum of SGD."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.05
    """Not applied to norms and biases."""
    clip_norm: Annotated[float, Field(ge=0.0)] = 10.0
    """Gradient norm limit; 0 switches it off."""


class ScheduleConfig(StrictModel):
    """The learning rate over the run, as a function of the step."""

    name: Literal["cosine", "multistep", "constant"] = "cosine"
    """How the learning rate falls after warm-up."""
    warmup_steps: Annotated[int, Field(ge=0)] = 1000
    """Steps over which the learning rate rises to its value."""
    warmup_fraction: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    """Warm-up never exceeds this share of all steps, so that small sets train too."""
    final_lr_fraction: Probability = 0.01
    """Learning rate at the end of cosine, as a share of the first."""
    milestones: tuple[float, ...] = (0.5, 0.7, 0.9)
    """multistep: shares of the run."""
    gamma: Probability = 0.3
    """Factor of the learning rate at each milestone of multistep."""


class TrainConfig(StrictModel):
    """One training run."""

    epochs: Annotated[int, Field(ge=0)] = 100
    """0 takes the pretrained weights as they are: scored, and ready to export."""
    batch: Positive = 16
    """Images a step, summed over devices."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Seed of everything drawn in training."""
    device: Literal["auto", "cpu", "cuda", "npu", "mps", "xpu"] = "auto"
    """Kind of device; auto takes the first that is there."""
    devices: Positive = 1
    """On each machine; ``batch`` is the joint batch of all of them."""
    sync_bn: bool = True
    """On several devices: batch norm over the joint batch, so that they compute what one would."""
    scale_lr: bool = False
    """The linear rule: multiplies the learning rate by ``batch`` over the family's own batch. The
    run's configuration then holds the product."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where the device computes in it natively."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Compute threads; 0 chooses from the usable cores."""
    peer_timeout: Positive = 600
    """Seconds a process of a run on several devices may be silent before the others end the run."""
    weights: str = "auto"
    """auto, none, or a file."""
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.998
    """0 switches the moving average off."""
    eval_interval: Annotated[int, Field(ge=0)] = 0
    """Epochs between evaluations; 0 chooses about ten evaluations a run."""
    early_stop: Annotated[int, Field(ge=0)] = 0
    """Evaluations without improvement on the held-back part of *train* before stopping; 0 never stops
    early."""
    tensorboard: bool = True
    """Write TensorBoard events beside the run's own."""
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()


class QuantConfig(StrictModel):
    """Post-training quantization."""

    calib_images: Positive = 128
    """Images of *train* that ranges are measured on."""
    observer: Literal["auto", "minmax", "percentile", "mse", "downstream"] = "auto"
    """auto: the best of downstream, mse and minmax on images that it was not chosen by. downstream: least
    squared error at the network's heads, as far as the sensitivity of each tensor tells."""
    percentile: Annotated[float, Field(gt=50.0, le=100.0)] = 99.99
    """Share of values kept, percent, by the observer percentile."""
    silence: bool = True
    """Channels that are constant on the calibration images, and would be all noise in int8, become
    constant."""
    equalize: bool = True
    """Balance channels between layers, where it helps on images nothing was chosen on."""
    split_silu: Annotated[float, Field(ge=0.0)] = 0.2
    """Extra multiplications allowed, as a share of the network's, for SiLUs computed from two
    convolutions so that their channels can be balanced; 0 leaves the network as it is."""
    bias_correction: bool = True
    """Correct biases for the mean error of rounding, where it helps."""
    seconds: Annotated[float, Field(ge=0.0)] = 2.0
    """Budget of the search over single ranges, in seconds of one core, estimated and not by the clock: the
    result is the same on a slow machine. Less than two runs over the images take leaves it out, as 0 does."""
    point_offset: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """Where in its cell a device takes the point that boxes are measured from: 0 the corner, 0.5 the center.
    None: as trained. Another place changes no box; where it cannot be had exactly, export says so."""
    max_drop: Annotated[float, Field(ge=0.0)] = 0.02
    """Largest drop of the main metric from float to file; more is exit code 4."""


class QatConfig(StrictModel):
    """Quantization-aware training, after post-training quantization."""

    epochs: Positive = 5
    """Epochs of quantization-aware training."""
    lr: Annotated[float, Field(gt=0.0)] = 0.0002
    """Its learning rate."""
    range_lr: Annotated[float, Field(gt=0.0)] = 0.0002
    """Learning rate of the activation ranges, relative to each range's width."""
    batch: Positive = 16
    """Images a step."""
    task_weight: Annotated[float, Field(ge=0.0)] = 1.0
    """Weight of the family's own loss, on labels."""
    teacher_weight: Annotated[float, Field(ge=0.0)] = 0.0
    """Weight of the divergence from the float network's heads, where it sees something."""
    mosaic: Probability = 0.0
    """Share of samples built from four images."""


class DatasetEntry(StrictModel):
    """A set of the user's own, by name."""

    path: str
    format: str = "auto"


class ToolConfig(StrictModel):
    """Where a vendor's compiler is on this machine. One of ``python``, ``command`` and ``container``."""

    python: str = ""
    """An interpreter that has the vendor's package: of an environment of its own, never edgectl's."""
    command: str = ""
    """The program itself."""
    container: tuple[str, ...] = ()
    """Words put before the compiler's arguments; ``{directory}`` is where its files are. Example:
    ["docker", "run", "--rm", "-v", "{directory}:{directory}", "-w", "{directory}", "IMAGE", "python3"]."""
    time_limit: Positive = 7200
    """Seconds a job, or one request to a runtime, may take."""
    output_limit: Positive = 64
    """Mebibytes it may print."""

    @model_validator(mode="after")
    def _one_of(self) -> ToolConfig:
        if sum(map(bool, (self.python, self.command, self.container))) != 1:
            raise ValueError("give one of python, command and container")
        return self


class RunConfig(StrictModel):
    """Everything a run needs; written as ``config.resolved.toml``."""

    family: str = ""
    """Model family, as ``edgectl models`` lists them."""
    variant: str = ""
    """One of the family's sizes; empty takes its default."""
    input_size: tuple[Side, Side] | None = None
    """(height, width); None takes the variant's default."""
    data: DataConfig = DataConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    augment: AugmentConfig = AugmentConfig()
    classify: ClassifyConfig = ClassifyConfig()
    model: dict[str, Any] = Field(default_factory=dict)
    """The family's own table; its README lists the keys."""
    train: TrainConfig = TrainConfig()
    quant: QuantConfig = QuantConfig()
    qat: QatConfig = QatConfig()
    backend: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """A table for each backend; its README lists the keys."""
    datasets: dict[str, DatasetEntry] = Field(default_factory=dict)
    """``[datasets.NAME]``: sets that --data may name."""
    tools: dict[str, ToolConfig] = Field(default_factory=dict)
    """``[tools.NAME]``: compilers of vendors. Facts of a machine: taken from where a command runs, not from
    the checkpoint it works on."""
    gates: tuple[str, ...] = ()
    """Gates every ``eval`` of this run applies, for example ``f1_drop<=0.01``; drops to files only."""
