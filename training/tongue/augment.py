"""Batches for the trunk: light, white balance and geometry varied, then FORMAT.md's step 6 and 7."""

import torch
import torch.nn.functional as F

import pipeline as pipe

MEAN = torch.from_numpy(pipe.MEAN)[None, :, None, None]
STD = torch.from_numpy(pipe.STD)[None, :, None, None]
LUMA = torch.from_numpy(pipe.LUMA)[None, :, None, None]


def planes(crop, alpha):
    """u8 arrays (N,H,W,3) and (N,H,W) to one float tensor N x 4 x H x W, alpha 0-1."""
    rgb = torch.as_tensor(crop).permute(0, 3, 1, 2).float()
    return torch.cat([rgb, torch.as_tensor(alpha)[:, None].float() / 255], 1)


def finish(x):
    """Gain, fill and normalisation: N x 4 to the trunk's N x 3."""
    rgb, a = x[:, :3], x[:, 3:]
    luma = (rgb * LUMA * a).sum((1, 2, 3)) / a.sum((1, 2, 3)).clamp(min=1e-6)
    gain = (pipe.TARGET_LUMA / luma.clamp(min=1e-6)).clamp(pipe.MIN_GAIN, pipe.MAX_GAIN)
    rgb = (rgb * gain[:, None, None, None]).clamp(max=255) * a + pipe.FILL * (1 - a)
    return ((rgb / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def geometry(x, generator, strength):
    """Mirror, turn, shift and scale."""
    count = len(x)

    def uniform(low, high):
        return torch.rand(count, generator=generator) * (high - low) + low

    angle = uniform(-0.2, 0.2) * strength
    scale = 1 + uniform(-0.1, 0.1) * strength
    flip = torch.sign(uniform(-1, 1))
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = torch.cos(angle) * scale * flip, -torch.sin(angle) * scale
    theta[:, 1, 0], theta[:, 1, 1] = torch.sin(angle) * scale * flip, torch.cos(angle) * scale
    theta[:, :, 2] = torch.stack([uniform(-0.08, 0.08), uniform(-0.08, 0.08)], 1) * strength
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", align_corners=False)


def light(x, generator, strength):
    """White balance, contrast, exposure, uneven light and noise."""
    count = len(x)

    def normal(*shape):
        return torch.randn(count, *shape, generator=generator)

    rgb = x[:, :3] / 255
    cast = torch.exp(normal(3, 1, 1) * 0.025 * strength)
    gamma = torch.exp(normal(1, 1, 1) * 0.12 * strength)
    ramp = torch.linspace(-1, 1, x.shape[-1])
    slope = 1 + 0.06 * strength * (normal(1, 1, 1) * ramp + normal(1, 1, 1) * ramp[:, None])
    rgb = (rgb * cast * slope).clamp(1e-4, 1) ** gamma
    noise = torch.randn(rgb.shape, generator=generator) * (0.015 * strength) * torch.rand(count, 1, 1, 1, generator=generator)
    return torch.cat([(rgb + noise).clamp(0, 1) * 255, x[:, 3:]], 1)


def batch(crop, alpha, generator=None, strength=1.0):
    """The trunk's input for u8 crops; augmented where a generator is given."""
    x = planes(crop, alpha)
    if generator is not None:
        x = light(geometry(x, generator, strength), generator, strength)
    return finish(x)
