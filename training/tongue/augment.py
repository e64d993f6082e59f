"""Batches for the trunk: light, white balance and geometry varied, then FORMAT.md's step 6 and 7."""

import numpy as np
import torch
import torch.nn.functional as F

import pipeline as pipe

MEAN = torch.from_numpy(pipe.MEAN)[None, :, None, None]
STD = torch.from_numpy(pipe.STD)[None, :, None, None]
LUMA = torch.from_numpy(pipe.LUMA)[None, :, None, None]


def planes(crop, alpha):
    """u8 arrays (N,3,H,W) and (N,H,W) to one float tensor N x 4 x H x W, alpha 0-1."""
    count, _, height, width = crop.shape
    out = torch.empty(count, 4, height, width)
    out[:, :3] = torch.from_numpy(np.ascontiguousarray(crop))
    out[:, 3] = torch.as_tensor(alpha)
    out[:, 3] /= 255
    return out


def normalised(rgb):
    """0-255 to the networks' scale, in place."""
    rgb = rgb.mul_(1 / (255 * STD)).sub_(MEAN / STD)
    return rgb.contiguous(memory_format=torch.channels_last)


def gains(x):
    """The brightness gain of each crop (N x 4 planes), N x 1 x 1 x 1."""
    rgb, a = x[:, :3], x[:, 3:]
    luma = ((rgb * a).sum((2, 3)) * LUMA[:, :, 0, 0]).sum(1) / a.sum((1, 2, 3)).clamp(min=1e-6)
    gain = (pipe.TARGET_LUMA / luma.clamp(min=1e-6)).clamp(pipe.MIN_GAIN, pipe.MAX_GAIN)
    return gain[:, None, None, None]


def finish(x, gain):
    """Gain, fill and normalisation: N x 4 to the trunk's N x 3."""
    rgb, a = x[:, :3], x[:, 3:]
    return normalised((rgb * gain).clamp_(max=255).sub_(pipe.FILL).mul_(a).add_(pipe.FILL))


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


def strips(rim, generator, strength):
    """Mirror, shift and stretch of unrolled rims (N x 3 planes)."""
    count = len(rim)

    def uniform(low, high):
        return torch.rand(count, generator=generator) * (high - low) + low

    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = torch.sign(uniform(-1, 1)) * (1 + uniform(-0.08, 0.04) * strength)
    theta[:, 1, 1] = 1 + uniform(-0.2, 0.1) * strength
    theta[:, 0, 2], theta[:, 1, 2] = uniform(-0.06, 0.06) * strength, uniform(-0.1, 0.1) * strength
    grid = F.affine_grid(theta, list(rim.shape), align_corners=False)
    return F.grid_sample(rim, grid, mode="bilinear", padding_mode="border", align_corners=False)


def tables(count, rng, strength):
    """Random white balance, exposure and tone curve of `count` pictures: N x 3 x 256, u8."""
    cast = np.exp(rng.normal(0, 0.025 * strength, (count, 3, 1)))
    gamma = np.exp(rng.normal(0, 0.12 * strength, (count, 1, 1)))
    exposure = np.exp(rng.normal(0, 0.08 * strength, (count, 1, 1)))
    level = (np.arange(256) / 255)[None, None]
    return np.clip((level**gamma) * cast * exposure * 255 + 0.5, 0, 255).astype(np.uint8)


def light(crop, tables):
    """u8 crops through one table per channel; planes."""
    out = np.empty((len(crop), 3, *crop.shape[1:3]), np.uint8)
    for k in range(len(crop)):
        for c in range(3):
            np.take(tables[k, c], crop[k, :, :, c], out=out[k, c])
    return out


def batch(part, generator=None, strength=1.0, see=("crop", "rim")):
    """The inputs [crops, strips] for records with crop, alpha and rim; augmented with a generator.

    What is not in `see` is None.
    """
    crop, alpha, rim = (np.asarray(part[k]) for k in ("crop", "alpha", "rim"))
    if generator is None:
        crop, rim = crop.transpose(0, 3, 1, 2), rim.transpose(0, 3, 1, 2)
    else:
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        told = tables(len(crop), rng, strength)
        crop, rim = light(crop, told), light(rim, told) if "rim" in see else None
    x, strip = planes(crop, alpha), None
    gain = gains(x)
    if "rim" in see:
        strip = torch.from_numpy(np.ascontiguousarray(rim)).float()
        strip = strip if generator is None else strips(strip, generator, strength)
        strip = normalised((strip * gain).clamp_(max=255))
    if "crop" not in see:
        return [None, strip]
    x = x if generator is None else geometry(x, generator, strength)
    return [finish(x, gain), strip]
