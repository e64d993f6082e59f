"""What a camera does to a scene: light, white balance, blur, noise, compression."""

import io

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter

from texture import smooth


def blur(rgb, sigma):
    """Gaussian blur of a picture, sigma in pixels."""
    return gaussian_filter(rgb, (sigma, sigma, 0), truncate=3) if sigma > 0.15 else rgb


def motion(rng, rgb, length):
    """Smears a picture along a random direction over `length` pixels."""
    angle = rng.uniform(0, np.pi)
    steps = np.linspace(-length / 2, length / 2, max(3, int(length) + 1))
    out = np.zeros_like(rgb)
    for s in steps:
        out += np.roll(rgb, (round(s * np.sin(angle)), round(s * np.cos(angle))), (0, 1))
    return out / len(steps)


def illuminate(rng, rgb, strength):
    """Uneven light, exposure, white balance and tone curve; `strength` 0 to 1."""
    size = rgb.shape[:2]
    field = 1 + strength * rng.uniform(0, 0.09) * smooth(rng, size, 2)
    exposure = np.exp(rng.normal(0, 0.16 * strength))
    warm, tint = rng.normal(0, 0.03 * strength), rng.normal(0, 0.015 * strength)
    gains = np.array([1 + warm, 1 + tint, 1 - warm], np.float32)
    rgb = np.clip(rgb * (field[..., None] * exposure * gains), 0, 1.3)
    rgb = rgb ** np.float32(np.exp(rng.normal(0, 0.13 * strength)))
    grey = rgb.mean(2, keepdims=True)
    return np.clip(grey + (rgb - grey) * rng.uniform(1 - 0.12 * strength, 1 + 0.12 * strength), 0, 1)


def sensor(rng, rgb, noise):
    """Shot and read noise."""
    level = noise * (0.4 + 0.6 * np.sqrt(np.maximum(rgb, 0)))
    return rgb + rng.standard_normal(rgb.shape, dtype=np.float32) * level


def sharpen(rgb, amount):
    """The unsharp mask that most cameras apply."""
    return rgb + amount * (rgb - blur(rgb, 1.0))


def jpeg(rng, picture):
    """Through a JPEG encoder of random quality."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(rng.integers(40, 96)))
    return Image.open(buffer).convert("RGB")


def store(rng, rgb, cover):
    """How a picture ends up in a file: denoised, made smaller, compressed; its mask made smaller with it."""
    picture = Image.fromarray(rgb)
    if rng.random() < 0.25:
        picture = picture.filter(ImageFilter.MedianFilter(3))
    if rng.random() < 0.5:
        factor = rng.uniform(0.55, 1.0)
        size = round(picture.width * factor), round(picture.height * factor)
        picture = picture.resize(size, Image.BILINEAR)
        cover = np.asarray(Image.fromarray(cover.astype(np.float32)).resize(size, Image.BILINEAR))
    if rng.random() < 0.7:
        picture = jpeg(rng, picture)
    return np.asarray(picture), cover


def shoot(rng, rgb, strength=1.0, blur_px=0.0, motion_px=0.0):
    """The whole camera: float scene 0-1 to an 8-bit picture."""
    rgb = illuminate(rng, rgb.astype(np.float32), strength)
    rgb = blur(rgb, blur_px)
    if motion_px > 0:
        rgb = motion(rng, rgb, motion_px)
    rgb = sensor(rng, rgb, rng.uniform(0, 0.025) * strength)
    if blur_px < 2 and rng.random() < 0.4:
        rgb = sharpen(rgb, rng.uniform(0.2, 1.0))
    return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
