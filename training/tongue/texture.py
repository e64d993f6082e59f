"""Random fields from which the generator builds surfaces."""

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter


def smooth(rng, size, cells):
    """Smooth noise with about `cells` bumps over the longer side, unit variance."""
    height, width = size
    long = max(height, width)
    shape = (max(2, round(cells * height / long) + 2), max(2, round(cells * width / long) + 2))
    small = Image.fromarray(rng.standard_normal(shape).astype(np.float32))
    return np.asarray(small.resize((width, height), Image.BICUBIC)) * 1.3


def fractal(rng, size, cells, octaves=3):
    """Smooth noise of several scales, unit variance."""
    field = sum(smooth(rng, size, cells * 2**k) * 0.6**k for k in range(octaves))
    return field / np.sqrt(sum(0.36**k for k in range(octaves)))


def grain(rng, size, sigma):
    """Fine noise of the given blur radius in pixels, unit variance."""
    field = rng.standard_normal(size, dtype=np.float32)
    if sigma > 0.3:
        field = gaussian_filter(field, sigma, truncate=2.5)
    return field / (field.std() + 1e-6)


def dots(rng, size, where, count, radius):
    """`count` round dots at pixels drawn in proportion to `where`, height about 1."""
    weight = np.cumsum(where, dtype=np.float64).ravel()
    out = np.zeros(size, np.float32)
    if weight[-1] <= 0 or count == 0:
        return out
    index = np.searchsorted(weight, rng.random(count) * weight[-1])
    out.ravel()[np.minimum(index, out.size - 1)] = rng.uniform(0.5, 1, count)
    return np.minimum(gaussian_filter(out, radius, truncate=2.5) * 2 * np.pi * radius**2, 1)


def step(x, low, high):
    """Smoothstep from 0 at `low` to 1 at `high` (`low` may be the larger)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blend(base, colour, alpha):
    """Lays a colour (or picture) over a picture in place."""
    base += (colour - base) * alpha[..., None]


def strokes(size, lines):
    """Draws polylines [(points, widths, depth)] with soft edges; returns 0-1 depth."""
    height, width = size
    scale = 2
    canvas = Image.new("L", (width * scale, height * scale))
    draw = ImageDraw.Draw(canvas)
    for points, widths, depth in lines:
        for k in range(len(points) - 1):
            (x0, y0), (x1, y1) = points[k] * scale, points[k + 1] * scale
            w = widths[k] * scale
            draw.line((x0, y0, x1, y1), fill=int(255 * depth), width=max(1, int(round(w))))
    return np.asarray(canvas.resize((width, height), Image.BOX), np.float32) / 255


def random_walk(rng, start, heading, length, wobble, count=12):
    """A wobbling polyline of `count` points in pixels."""
    angles = heading + np.cumsum(rng.normal(0, wobble, count)) * 0.6
    steps = length / count * np.stack([np.cos(angles), np.sin(angles)], 1)
    return np.vstack([start, start + np.cumsum(steps, 0)])
