"""Stand-ins for the YOLO family, built of the blocks its papers and code describe, with random weights.

What matters here is which operations a network is made of, not what it has learned. Each takes (1, 3, H, W)
and returns raw heads at strides 8, 16 and 32 (boxes of 16 bins a side, and class scores), or class scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class Conv(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1, g: int = 1, act: bool = True):
        layers: list[nn.Module] = [
            nn.Conv2d(c1, c2, k, s, k // 2, groups=g, bias=False),
            nn.BatchNorm2d(c2),
        ]
        super().__init__(*layers, *([nn.SiLU(inplace=True)] if act else []))


class Bottleneck(nn.Module):
    """Two convolutions and a residual sum."""

    def __init__(self, c: int):
        super().__init__()
        self.first, self.second = Conv(c, c, 3), Conv(c, c, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class C3(nn.Module):
    """YOLOv5: cross-stage partial with three convolutions."""

    def __init__(self, c1: int, c2: int):
        super().__init__()
        self.one, self.two = Conv(c1, c2 // 2), Conv(c1, c2 // 2)
        self.inner, self.last = Bottleneck(c2 // 2), Conv(c2, c2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.cat((self.inner(self.one(x)), self.two(x)), 1))


class C2f(nn.Module):
    """YOLOv8: the halves of one convolution, and what follows from the second."""

    block: Callable[[int], nn.Module] = Bottleneck

    def __init__(self, c1: int, c2: int):
        super().__init__()
        self.one, self.last = Conv(c1, c2), Conv(2 * c2, c2)
        self.inner = nn.ModuleList(type(self).block(c2 // 2) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.one(x).chunk(2, 1))
        parts.extend(block(parts[-1]) for block in self.inner)
        return self.last(torch.cat(parts, 1))


class C3k(C3):
    """YOLO11: :class:`C3` inside :class:`C2f`."""

    def __init__(self, c: int):
        super().__init__(c, c)


class C3k2(C2f):
    """YOLO11."""

    block = C3k


class RepBlock(nn.Module):
    """YOLOv6 before its branches are joined: 3x3, 1x1 and identity, then ReLU."""

    def __init__(self, c: int):
        super().__init__()
        self.wide, self.point = Conv(c, c, 3, act=False), Conv(c, c, 1, act=False)
        self.norm, self.act = nn.BatchNorm2d(c), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.wide(x) + self.point(x) + self.norm(x))


class Rep(nn.Sequential):
    """YOLOv6."""

    def __init__(self, c1: int, c2: int):
        super().__init__(Conv(c1, c2), RepBlock(c2), RepBlock(c2))


class RepNCSPELAN(nn.Module):
    """YOLOv9."""

    def __init__(self, c1: int, c2: int):
        super().__init__()
        self.one = Conv(c1, c2)
        self.two = nn.Sequential(C3(c2 // 2, c2 // 2), Conv(c2 // 2, c2 // 2, 3))
        self.three = nn.Sequential(C3(c2 // 2, c2 // 2), Conv(c2 // 2, c2 // 2, 3))
        self.last = Conv(2 * c2, c2)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.one(x).split((self.one[0].out_channels // 2,) * 2, 1))
        parts.extend(m(parts[-1]) for m in (self.two,))
        parts.append(self.three(parts[-1]))
        return self.last(torch.cat(parts, 1))


class AConv(nn.Module):
    """YOLOv9: average, then half the size."""

    def __init__(self, c1: int, c2: int):
        super().__init__()
        self.conv = Conv(c1, c2, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(nn.functional.avg_pool2d(x, 2, 1, 0, False, True))


class SCDown(nn.Sequential):
    """YOLOv10: channels, then size."""

    def __init__(self, c1: int, c2: int):
        super().__init__(Conv(c1, c2), Conv(c2, c2, 3, 2, g=c2, act=False))


class CIB(nn.Module):
    """YOLOv10: depthwise and pointwise in turn, with a residual sum."""

    def __init__(self, c: int):
        super().__init__()
        self.layers = nn.Sequential(
            Conv(c, c, 3, g=c), Conv(c, 2 * c), Conv(2 * c, 2 * c, 3, g=2 * c), Conv(2 * c, c)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class C2fCIB(C2f):
    """YOLOv10."""

    block = CIB


class Attention(nn.Module):
    """YOLOv10 and 11: heads over all positions, and a depthwise convolution for where they are."""

    def __init__(self, c: int, heads: int = 2):
        super().__init__()
        self.heads, self.dim, self.key = heads, c // heads, c // heads // 2
        self.qkv = Conv(c, c + 2 * self.key * heads, act=False)
        self.proj, self.pe = Conv(c, c, act=False), Conv(c, c, 3, g=c, act=False)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        qkv = self.qkv(x).view(b, self.heads, 2 * self.key + self.dim, h * w)
        q, k, v = qkv.split([self.key, self.key, self.dim], dim=2)
        weights = ((q.transpose(-2, -1) @ k) * self.key**-0.5).softmax(dim=-1)
        y = (v @ weights.transpose(-2, -1)).view(b, c, h, w)
        return self.proj(y + self.pe(v.reshape(b, c, h, w)))


class PSABlock(nn.Module):
    """Attention and two convolutions, each with a residual sum."""

    def __init__(self, c: int):
        super().__init__()
        self.attention = Attention(c)
        self.ffn = nn.Sequential(Conv(c, 2 * c), Conv(2 * c, c, act=False))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        return x + self.ffn(x)


class C2PSA(nn.Module):
    """YOLO11; YOLOv10's PSA is the same with one block."""

    def __init__(self, c: int):
        super().__init__()
        self.one, self.last, self.block = Conv(c, c), Conv(c, c), PSABlock(c // 2)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.one(x).split((self.one[0].out_channels // 2,) * 2, dim=1)
        return self.last(torch.cat((a, self.block(b)), 1))


class C3k2Attention(C2f):
    """YOLO26: attention inside :class:`C2f`."""

    block = staticmethod(lambda c: nn.Sequential(Bottleneck(c), PSABlock(c)))


class AreaAttention(nn.Module):
    """YOLO12: attention inside each of ``area`` bands of the map."""

    def __init__(self, c: int, heads: int = 2, area: int = 4):
        super().__init__()
        self.heads, self.area, self.dim = heads, area, c // heads
        self.qkv, self.proj = Conv(c, 3 * c, act=False), Conv(c, c, act=False)
        self.pe = Conv(c, c, 7, g=c, act=False)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        n = h * w
        qkv = self.qkv(x).flatten(2).transpose(1, 2)
        if self.area > 1:
            qkv = qkv.reshape(b * self.area, n // self.area, c * 3)
            b, n, _ = qkv.shape
        q, k, v = (
            qkv.view(b, n, self.heads, self.dim * 3)
            .permute(0, 2, 3, 1)
            .split([self.dim, self.dim, self.dim], dim=2)
        )
        weights = ((q.transpose(-2, -1) @ k) * self.dim**-0.5).softmax(dim=-1)
        y = (v @ weights.transpose(-2, -1)).permute(0, 3, 1, 2)
        v = v.permute(0, 3, 1, 2)
        if self.area > 1:
            y = y.reshape(b // self.area, n * self.area, c)
            v = v.reshape(b // self.area, n * self.area, c)
            b, n, _ = y.shape
        y = y.reshape(b, h, w, c).permute(0, 3, 1, 2).contiguous()
        v = v.reshape(b, h, w, c).permute(0, 3, 1, 2).contiguous()
        return self.proj(y + self.pe(v))


class ABlock(nn.Module):
    """YOLO12: area attention and two convolutions."""

    def __init__(self, c: int):
        super().__init__()
        self.attention = AreaAttention(c)
        self.mlp = nn.Sequential(Conv(c, 2 * c), Conv(2 * c, c, act=False))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(x)
        return x + self.mlp(x)


class A2C2f(C2f):
    """YOLO12."""

    block = ABlock


class SPPF(nn.Module):
    """Three max pools in a row, joined."""

    def __init__(self, c: int):
        super().__init__()
        self.one, self.last = Conv(c, c // 2), Conv(2 * c, c)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.one(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.last(torch.cat(parts, 1))


Block = Callable[[int, int], nn.Module]


class Yolo(nn.Module):
    """A backbone of four stages, a pyramid up and down, and heads at three strides."""

    def __init__(
        self,
        block: Block = C2f,
        down: Block = lambda a, b: Conv(a, b, 3, 2),
        end: Sequence[Callable[[int], nn.Module]] = (SPPF,),
        up: Callable[[int], nn.Module] = lambda c: nn.Upsample(scale_factor=2),
        deep: Block | None = None,
        depthwise_heads: bool = False,
    ):
        super().__init__()
        deep = deep or block
        c = (16, 32, 64, 96, 128)
        self.stem = nn.Sequential(Conv(3, c[0], 3, 2), Conv(c[0], c[1], 3, 2), block(c[1], c[1]))
        self.stages = nn.ModuleList(
            nn.Sequential(down(a, b), made(b, b))
            for a, b, made in ((c[1], c[2], block), (c[2], c[3], block), (c[3], c[4], deep))
        )
        self.end = nn.Sequential(*(e(c[4]) for e in end))
        self.ups = nn.ModuleList([up(c[4]), up(c[3])])
        self.tops = nn.ModuleList([block(c[4] + c[3], c[3]), block(c[3] + c[2], c[2])])
        self.downs = nn.ModuleList([down(c[2], c[2]), down(c[3], c[3])])
        self.bottoms = nn.ModuleList([block(c[2] + c[3], c[3]), deep(c[3] + c[4], c[4])])

        def head(a: int, out: int) -> nn.Module:
            g = a if depthwise_heads else 1
            return nn.Sequential(Conv(a, a, 3, g=g), Conv(a, a), nn.Conv2d(a, out, 1))

        self.boxes = nn.ModuleList(head(a, 64) for a in c[2:])
        self.scores = nn.ModuleList(head(a, 80) for a in c[2:])

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        p5 = self.end(levels[2])
        p4 = self.tops[0](torch.cat((self.ups[0](p5), levels[1]), 1))
        p3 = self.tops[1](torch.cat((self.ups[1](p4), levels[0]), 1))
        p4 = self.bottoms[0](torch.cat((self.downs[0](p3), p4), 1))
        p5 = self.bottoms[1](torch.cat((self.downs[1](p4), p5), 1))
        heads = zip((p3, p4, p5), self.boxes, self.scores, strict=True)
        return [y for x, box, score in heads for y in (box(x), score(x))]


class Classifier(nn.Module):
    """The backbone and a fully connected layer."""

    def __init__(self) -> None:
        super().__init__()
        net = Yolo()
        self.features = nn.Sequential(net.stem, *net.stages, Conv(128, 256))
        self.last = nn.Linear(256, 80)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.features(x).mean((2, 3))).softmax(1)


class Decoded(nn.Module):
    """A network as it is often exported: boxes and scores of all cells in one tensor."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        heads = [y.flatten(2) for y in self.net(x)]
        boxes, scores = torch.cat(heads[::2], 2), torch.cat(heads[1::2], 2)
        bins = boxes.reshape(1, 4, 16, -1).transpose(1, 2).softmax(1)
        steps = torch.arange(16.0).reshape(1, 16, 1, 1)
        return torch.cat(((bins * steps).sum(1), scores.sigmoid()), 1)


def _transposed(c: int) -> nn.Module:
    return nn.ConvTranspose2d(c, c, 2, 2)


YOLO: dict[str, Callable[[], nn.Module]] = {
    "YOLOv5nu": lambda: Yolo(C3),
    "YOLOv6n": lambda: Yolo(Rep, up=_transposed),
    "YOLOv8n": Yolo,
    "YOLOv9t": lambda: Yolo(RepNCSPELAN, AConv),
    "YOLOv8n-cls": Classifier,
    "YOLOv10n": lambda: Yolo(C2f, SCDown, (SPPF, C2PSA), deep=C2fCIB),
    "YOLO11n": lambda: Yolo(C3k2, end=(SPPF, C2PSA), depthwise_heads=True),
    "YOLO26n": lambda: Yolo(C3k2, end=(SPPF, C2PSA), deep=C3k2Attention, depthwise_heads=True),
    "YOLO12n": lambda: Yolo(C3k2, end=(), deep=A2C2f, depthwise_heads=True),
}
"""Raw heads."""
