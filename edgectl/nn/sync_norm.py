"""Batch norm over the joint batch of several processes (Ioffe and Szegedy, 2015, arXiv:1502.03167;
synchronized as in Peng et al., 2018, arXiv:1711.07240).

PyTorch has it for accelerators and refuses processors; the one here needs only collectives of any
backend, gloo's among them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def synchronize_norms(model: nn.Module, device_type: str) -> nn.Module:
    """Replaces every batch norm of ``model``, in place as far as it can be; parameters, buffers and
    their names stay. Returns the model."""
    if device_type != "cpu":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted
    if isinstance(model, nn.modules.batchnorm._BatchNorm):
        return JointBatchNorm.of(model)
    for name, child in model.named_children():
        setattr(model, name, synchronize_norms(child, device_type))
    return model


class JointBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of (N, C, ...), with the statistics of all processes' batches in training."""

    @classmethod
    def of(cls, norm: nn.modules.batchnorm._BatchNorm) -> JointBatchNorm:
        """With the parameters and buffers of ``norm``, not copies of them."""
        made = cls(
            norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
        )
        made.weight, made.bias = norm.weight, norm.bias
        made.running_mean, made.running_var = norm.running_mean, norm.running_var
        made.num_batches_tracked = norm.num_batches_tracked
        return made.train(norm.training)

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(f"batch norm needs (N, C, ...), got {tuple(x.shape)}")

    def forward(self, x: Tensor) -> Tensor:
        """Same shape and number format as ``x``."""
        if not self.training:
            return super().forward(x)
        self._check_input_dim(x)
        y, mean, var, count = _JointNorm.apply(x, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        self._follow(mean, var * (count / (count - 1).clamp_min(1)))
        normed: Tensor = y
        return normed

    @torch.no_grad()
    def _follow(self, mean: Tensor, unbiased: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:  # the plain average of all batches
            share = 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), share)


class _JointNorm(torch.autograd.Function):
    """One collective forwards (mean, variance, count of every part), one backwards (the two sums)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        # the kernel of ordinary batch norm; var_mean is 60 times slower on channels_last
        mean, var = torch.batch_norm_update_stats(_wide(x), None, None, 0.0)
        own = torch.cat([mean, var, mean.new_tensor([x.numel() / x.shape[1]])])
        parts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, own)
        table = torch.stack(parts)
        channels = x.shape[1]
        means, variances = table[:, :channels], table[:, channels : 2 * channels]
        counts = table[:, 2 * channels :]
        count = counts.sum()
        mean = (means * counts).sum(dim=0) / count
        # Chan et al., 1979: no difference of large numbers, as E[x^2] - E[x]^2 would be
        var = ((variances + (means - mean) ** 2) * counts).sum(dim=0) / count
        ctx.save_for_backward(x, weight, mean, var, count)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, var, count)
        y = F.batch_norm(x, mean, var, weight, bias, training=False, eps=eps)
        return y, mean, var, count

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, dy: Tensor, *_: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, weight, mean, var, count = ctx.saved_tensors
        # as if the statistics were constants; the sums are those of this process
        direct, d_weight, d_bias = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.cat([d_bias, d_weight])
        distributed.all_reduce(sums)
        mean_slope, mean_product = (sums / count).chunk(2)
        inverse = (var + ctx.eps).rsqrt()
        scale = inverse if weight is None else inverse * weight
        # what the statistics' own dependence on x takes away is linear in x
        tilt = scale * inverse * mean_product
        level = scale * mean_slope - tilt * mean
        shape = [-1 if d == 1 else 1 for d in range(x.dim())]
        through = torch.addcmul(level.view(shape), _wide(x), tilt.view(shape))
        dx = (direct - through).to(x.dtype)
        return (dx, None, None, None) if weight is None else (dx, d_weight, d_bias, None)


def _wide(x: Tensor) -> Tensor:
    """At least float32: sums of a whole batch do not fit into fewer bits."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
