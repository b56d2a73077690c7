"""The tracer against the model it reads: same numbers, ops of the table, refusals that help."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgectl.errors import ArtifactError, UnsupportedOpError
from edgectl.quant.graph import axes
from edgectl.quant.graph import semantics as to
from edgectl.quant.graph.aten import HANDLERS
from edgectl.quant.graph.quant_graph import OPS, QuantGraph
from edgectl.quant.graph.trace import trace


class Apply(nn.Module):
    """conv -> function -> conv, so that the function sees and feeds feature maps."""

    def __init__(self, function, out: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.function = function
        self.last = nn.Conv2d(out, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.first(x) * 3.0))


def ops(graph: QuantGraph) -> list[str]:
    return [n.op for n in graph]


_HALVES = "conv conv sigmoid sigmoid mul mul add sigmoid mul concat conv"
FUNCTIONS = {
    "relu": (nn.ReLU(), ["conv", "conv"]),
    "relu6": (nn.ReLU6(inplace=True), ["conv", "conv"]),
    "hardtanh 0 6": (nn.Hardtanh(0, 6), ["conv", "conv"]),
    "clamp 0 1": (lambda x: x.clamp(0, 1), ["conv", "conv"]),
    "clamp_min": (lambda x: x.clamp_min(0), ["conv", "conv"]),
    "relu then relu6": (lambda x: F.relu6(F.relu(x)), ["conv", "conv"]),
    "hardsigmoid": (nn.Hardsigmoid(), ["conv", "conv"]),
    "hardswish": (nn.Hardswish(), ["conv", "conv", "mul", "conv"]),
    "silu": (nn.SiLU(inplace=True), ["conv", "sigmoid", "mul", "conv"]),
    "sigmoid": (torch.sigmoid, ["conv", "sigmoid", "conv"]),
    "softmax": (lambda x: x.softmax(1), ["conv", "softmax", "conv"]),
    "residual": (lambda x: F.relu(x + x.relu()), ["conv", "conv", "add", "conv"]),
    "max_pool": (nn.MaxPool2d(5, 1, 2), ["conv", "max_pool", "conv"]),
    "avg_pool": (
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        ["conv", "avg_pool", "conv"],
    ),
    "global pool": (nn.AdaptiveAvgPool2d(1), ["conv", "mean", "conv"]),
    "mean keepdim": (lambda x: x.mean((-1, -2), keepdim=True), ["conv", "mean", "conv"]),
    "upsample": (nn.Upsample(scale_factor=2), ["conv", "upsample", "conv"]),
    "upsample to size": (lambda x: F.interpolate(x, (48, 48)), ["conv", "upsample", "conv"]),
    "pad": (lambda x: F.pad(x, (1, 0, 2, 1)), ["conv", "conv"]),
    "pad by value": (lambda x: F.pad(x, (1, 1, 1, 1), value=0.5), ["conv", "pad", "conv"]),
    "ceil mode": (nn.MaxPool2d(3, 2, ceil_mode=True), ["conv", "max_pool", "conv"]),
    "average in ceil mode": (
        nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
        ["conv", "avg_pool", "conv"],
    ),
    "chunks in the other order": (
        lambda x: torch.cat(x.relu().chunk(2, 1)[::-1], 1),
        ["conv", "conv", "concat", "conv"],
    ),
    "halves of a silu": (
        lambda x: torch.cat([sum(F.silu(x).chunk(2, 1)), F.silu(x).chunk(2, 1)[1]], 1),
        _HALVES.split(),
    ),
    "channels reversed": (
        lambda x: torch.cat([x[:, 2:4], x[:, 0:2]], 1),
        ["conv", "conv", "concat", "conv"],
    ),
    "rows and columns by two": (
        lambda x: x[:, :, ::2][..., 1::2],
        ["conv", "conv", "conv", "conv"],
    ),
    "difference": (lambda x: x.relu() - x, ["conv", "conv", "conv", "add", "conv"]),
    "pad before a pool": (
        lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 2),
        ["conv", "pad", "max_pool", "conv"],
    ),
    "scalars": (lambda x: (2 - x) / 4 - 1, ["conv", "conv"]),
    "channel gate": (
        lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
        ["conv", "mean", "sigmoid", "mul", "conv"],
    ),
    "no-ops": (
        lambda x: F.dropout(x, 0.5, False).contiguous().clone().detach(),
        ["conv", "conv"],
    ),
    "in-place sum": (
        lambda x: F.relu(x).add_(x),
        ["conv", "conv", "add", "conv"],
    ),
    "clamp -1 1": (nn.Hardtanh(-1, 1), ["conv", "conv"]),
    "clamp above": (lambda x: x.clamp_max(0.5), ["conv", "conv"]),
    "leaky relu": (nn.LeakyReLU(0.1), ["conv", "lookup", "conv"]),
    "prelu": (nn.PReLU(4), ["conv", "prelu", "conv"]),
    "gelu": (nn.GELU(), ["conv", "lookup", "conv"]),
    "tanh": (torch.tanh, ["conv", "lookup", "conv"]),
    "bilinear": (nn.Upsample((37, 20), mode="bilinear"), ["conv", "resize", "conv"]),
    "nearest to a fraction": (lambda x: F.interpolate(x, (31, 36)), ["conv", "resize", "conv"]),
    "transposed convolution": (
        nn.ConvTranspose2d(4, 4, 3, 2, 1, output_padding=1),
        ["conv", "conv_transpose", "conv"],
    ),
    "average that counts padding": (nn.AvgPool2d(3, 1, 1), ["conv", "pad", "avg_pool", "conv"]),
    "global maximum": (nn.AdaptiveMaxPool2d(1), ["conv", "max_pool", "conv"]),
    "shuffle": (nn.ChannelShuffle(2), ["conv", "conv"]),
    "linear over the last axis": (
        lambda x: F.gelu(x.permute(0, 2, 3, 1) @ torch.eye(4) * 2).permute(0, 3, 1, 2),
        ["conv", "conv", "lookup", "conv"],
    ),
    "layer norm over channels": (
        lambda x: F.layer_norm(x.movedim(1, 3), (4,)).permute(0, 3, 1, 2),
        ["conv", "conv", "add", "mul", "conv", "lookup", "mul", "conv"],
    ),
    "rows joined": (
        lambda x: torch.cat([x.relu(), x], 2),
        ["conv", "conv", "transpose", "transpose", "concat", "transpose", "conv"],
    ),
    "crop": (lambda x: x[:, :, 2:-3], ["conv", "slice", "conv"]),
    "a constant over positions": (
        lambda x: x + torch.linspace(-1, 1, 24 * 24).reshape(24, 24),
        ["conv", "constant", "add", "conv"],
    ),
    "attention": (
        lambda x: (
            F.scaled_dot_product_attention(
                *(x.flatten(2).transpose(1, 2).unsqueeze(1) for _ in range(3))
            )
            .squeeze(1)
            .transpose(1, 2)
            .reshape(-1, 4, 24, 24)
        ),
        None,
    ),
    "windows in the place of a batch": (
        lambda x: (
            (x.reshape(-1, 4, 2, 12, 24).transpose(1, 2).reshape(-1, 4, 12, 24).softmax(1))
            .reshape(-1, 2, 4, 12, 24)
            .transpose(1, 2)
            .reshape(-1, 4, 24, 24)
        ),
        None,
    ),
    "identity reshape": (lambda x: x.view(x.shape), ["conv", "conv"]),
}


@pytest.mark.parametrize(("function", "expected"), FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_graph_computes_what_the_model_computes(function, expected: list[str] | None) -> None:
    model = Apply(function).eval()
    graph = trace(model, (24, 24))
    x = torch.randn(2, 3, 24, 24)
    with torch.no_grad():
        torch.testing.assert_close(graph.run(x)[0], model(x), atol=1e-5, rtol=1e-5)
    assert expected is None or ops(graph) == ["input", *expected]


def test_concat_and_two_outputs() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Conv2d(3, 4, 1)
            self.b = nn.Conv2d(3, 2, 3, padding="same")
            self.c = nn.Conv2d(6, 5, 3, stride=2, dilation=2)

        def forward(self, x: Tensor) -> list[Tensor]:
            joined = torch.cat([self.a(x), self.b(x)], dim=1)
            return [self.c(joined), joined]

    model = Two()
    graph = trace(model, (17, 13))
    x = torch.randn(3, 3, 17, 13)
    for got, want in zip(graph.run(x), model(x), strict=True):
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)


def test_classifier_head() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, groups=3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    )
    graph = trace(model, (9, 9))
    assert ops(graph) == ["input", "conv", "mean", "reshape", "linear"]
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(graph.run(x)[0], model(x), atol=1e-5, rtol=1e-5)


def test_every_op_of_the_table_is_executable_and_reachable() -> None:
    # the two tests above, attention, and what calibration adds
    reached = {"linear", "reshape", "concat", "input", "matmul", "requantize"}
    for _, expected in FUNCTIONS.values():
        reached.update(expected or ())
    assert reached == set(OPS)


def test_fomo_like(fomo_like: nn.Module, fomo_graph: QuantGraph) -> None:
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(fomo_graph.run(x)[0], fomo_like(x)[0], atol=1e-5, rtol=1e-5)
    stem = fomo_graph["stem_0"]
    assert stem.attrs["padding"] == (0, 1, 0, 1)
    assert stem.activation == "relu6"
    assert stem.origin == "stem.0"
    assert ops(fomo_graph) == ["input", "conv", "conv", "conv", "conv", "add", "conv"]


def test_batch_norm_that_cannot_be_folded_becomes_a_convolution() -> None:
    class PreActivation(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.norm = nn.BatchNorm2d(4)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x)
            return y + F.relu(self.norm(y))

    model = PreActivation().eval()
    model.norm.running_mean.normal_()
    graph = trace(model, (8, 8))
    x = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(graph.run(x)[0], model(x), atol=1e-5, rtol=1e-5)
    assert ops(graph) == ["input", "conv", "conv", "add"]
    assert graph["norm_affine"].depthwise


def test_shared_module_has_weights_of_its_own_at_each_call() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = self.conv(x)
            return y, self.conv(F.avg_pool2d(y, 2)) * 2.0

    model = Shared()
    graph = trace(model, (8, 8))
    x = torch.randn(1, 3, 8, 8)
    for got, want in zip(graph.run(x), model(x), strict=True):
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
    first, second = (n for n in graph if n.op == "conv")
    torch.testing.assert_close(second.weight, 2.0 * first.weight)


def test_the_model_is_left_as_it_was(fomo_like: nn.Module) -> None:
    fomo_like.train()
    fomo_like.stem[1].eval()
    before = {k: v.clone() for k, v in fomo_like.state_dict().items()}
    trace(fomo_like, (32, 32))
    assert fomo_like.training and not fomo_like.stem[1].training
    assert all(torch.equal(v, before[k]) for k, v in fomo_like.state_dict().items())


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (nn.Mish(), "relu"),
        (lambda x: x[:, 0:2].repeat(1, 2, 1, 1), "supported calls"),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), "bilinear"),
        (nn.AvgPool2d(3, 1, 1, divisor_override=2), "divisor"),
        (lambda x: torch.cat([x, x], dim=0), "channels"),
        (lambda x: x / x.relu(), "product"),
        (lambda x: torch.sqrt(x.relu()), "divide"),
        (lambda x: x[:, [2, 0, 1, 3]], "slices"),
    ],
    ids=["mish", "repeat", "bicubic", "divisor", "cat", "quotient", "root", "index"],
)
def test_refusal_names_the_module_and_the_replacement(function, word: str) -> None:
    class Named(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x)

    model = nn.Sequential()
    model.add_module("neck", Apply(Named()))
    with pytest.raises(UnsupportedOpError) as caught:
        trace(model, (24, 24))
    assert caught.value.where == "neck.function" or isinstance(function, nn.Module)
    assert caught.value.where.startswith("neck.function")
    assert word in caught.value.fix
    assert caught.value.exit_code == 2


FAULTS = {
    "a dropped relu": ("relu", lambda b, a: a["self"]),
    "a sum of the wrong sign": ("add", lambda b, a: to.emit_sum(b, a["self"], a["other"], -1.0)),
    "another epsilon": ("batch_norm", None),
    "padding on the other side": (
        "pad",
        lambda b, a: to.emit_pad(b, a["self"], (0, 1, 0, 1), 0.0),
    ),
    "swapped inputs": ("cat", lambda b, a: axes.emit_concat(b, a["tensors"][::-1], 1)),
    "a clamp nobody reaches in noise": (
        "relu6",
        lambda b, a: to.emit_clamp(b, a["self"], 0, None),
    ),
}


class Faulty(nn.Module):
    """Every operation :data:`FAULTS` breaks, before a softmax over many classes: tiny outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.norm.running_var.fill_(0.01)
        self.last = nn.Linear(16, 1000)

    def forward(self, x: Tensor) -> Tensor:
        a = F.relu(self.norm(self.first(x)))
        b = F.relu6(F.pad(a, (1, 0, 1, 0))[:, :, ::1])
        b = F.max_pool2d(b, 2, 1)
        return self.last((torch.cat([a + 0.5, b], 1) + 0.0).mean((2, 3))).softmax(1)


@pytest.mark.parametrize(("op", "handler"), FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_found_behind_a_softmax(monkeypatch, op: str, handler) -> None:
    torch.manual_seed(0)
    model = Faulty().eval()
    trace(model, (8, 8))
    own = HANDLERS[op]
    monkeypatch.setitem(HANDLERS, op, handler or (lambda b, a: own(b, {**a, "eps": 1e-3})))
    with pytest.raises(ArtifactError, match="differs from the model"):
        trace(model, (8, 8))


def test_a_wrong_translation_cannot_leave_the_tracer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HANDLERS, "relu", lambda b, a: a["self"])
    with pytest.raises(ArtifactError, match="differs from the model"):
        trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), (8, 8))


class Focus(nn.Module):
    """YOLOX's and YOLOv5's stem: four corners of every 2x2 block, joined, then a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(12, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        corners = [x[..., i::2, j::2] for j in (0, 1) for i in (0, 1)]
        return F.silu(self.conv(torch.cat(corners, 1)))


def test_focus_is_one_convolution() -> None:
    model = Focus().eval()
    graph = trace(model, (24, 24))
    assert ops(graph) == ["input", "conv", "sigmoid", "mul"]
    conv = next(n for n in graph if n.op == "conv")
    assert conv.weight.shape == (5, 3, 6, 6) and conv.attrs["stride"] == (2, 2)
    x = torch.randn(2, 3, 24, 24)
    torch.testing.assert_close(graph.run(x)[0], model(x), atol=1e-5, rtol=1e-5)


def test_heads_of_attention_cost_no_convolution_of_their_own() -> None:
    """Queries, keys and values split behind a reshape are three convolutions, the scale is in one of them."""

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv = nn.Conv2d(3, 32, 1)

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.qkv(x).view(-1, 2, 16, 64).split([4, 4, 8], 2)
            weights = (q.transpose(-2, -1) @ k * 0.5).softmax(-1)
            return (v @ weights.transpose(-2, -1)).reshape(-1, 16, 8, 8)

    model = Attention().eval()
    graph = trace(model, (8, 8))
    assert [n.shape[1] for n in graph if n.op == "conv"] == [8, 8, 16]
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(graph.run(x)[0], model(x), atol=1e-5, rtol=1e-5)
