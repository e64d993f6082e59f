"""The arithmetic between a picture and the networks, exactly as FORMAT.md states it."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import label

from model import CROP_SIDE, RIM_COLUMNS, RIM_ROWS, RIM_SIDE, SEGMENT_SIDE

FILL = 127
MEAN = np.array([0.62, 0.47, 0.47], np.float32)
STD = np.array([0.2, 0.2, 0.2], np.float32)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
THRESHOLD, MARGIN, ALPHA_DILATE = 0.5, 0.08, 5
TARGET_LUMA, MIN_GAIN, MAX_GAIN = 150.0, 0.5, 2.0
#: The rim: first and last angle (0 right, pi/2 down), half width of each of the three boxes that
#: smooth the outline (columns), and how far the strip reaches to both sides of it (radii).
RIM_FROM, RIM_TO, RIM_SMOOTH, RIM_REACH = -0.45, 3.59, 10, 0.12


def half_up(value):
    """Rounds to the nearest integer, halves upwards."""
    return int(math.floor(value + 0.5))


def letterbox(rgb):
    """Returns the square u8 input of the segmenter, the scale, and the picture part's (w, h)."""
    height, width = rgb.shape[:2]
    scale = SEGMENT_SIDE / max(width, height)
    w, h = max(1, half_up(width * scale)), max(1, half_up(height * scale))
    small = np.asarray(Image.fromarray(rgb).resize((w, h), Image.BILINEAR))
    out = np.full((SEGMENT_SIDE, SEGMENT_SIDE, 3), FILL, np.uint8)
    out[:h, :w] = small
    return out, scale, (w, h)


def normalise(rgb):
    """Channels-last values 0-255 (any batch shape) to a normalised channels-first tensor."""
    x = torch.as_tensor(np.asarray(rgb, np.float32)) / 255.0
    x = (x - torch.from_numpy(MEAN)) / torch.from_numpy(STD)
    return x.movedim(-1, -3)


def largest_component(mask):
    """The largest 4-connected component of a boolean array, or None when it is empty."""
    parts, count = label(mask)
    if count == 0:
        return None
    return parts == np.bincount(parts.ravel())[1:].argmax() + 1


def square_of(component, scale):
    """The crop (x0, y0, side) in source pixels around a component of the letterbox."""
    ys, xs = np.where(component)
    bx0, bx1, by0, by1 = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
    side = math.ceil(max(bx1 - bx0, by1 - by0) * (1 + 2 * MARGIN) / scale)
    x0 = half_up((bx0 + bx1) / (2 * scale) - side / 2)
    y0 = half_up((by0 + by1) / (2 * scale) - side / 2)
    return x0, y0, side


def crop(rgb, x0, y0, side, out=CROP_SIDE):
    """The square of the picture, resized to the trunk's input; outside is FILL."""
    height, width = rgb.shape[:2]
    square = np.full((side, side, 3), FILL, np.uint8)
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x0 + side, width), min(y0 + side, height)
    if right > left and bottom > top:
        square[top - y0 : bottom - y0, left - x0 : right - x0] = rgb[top:bottom, left:right]
    return np.asarray(Image.fromarray(square).resize((out, out), Image.BILINEAR))


def alpha_of(prob, scale, x0, y0, side, size):
    """How much of each crop pixel is kept, from the segmenter's probabilities."""
    q = torch.as_tensor(prob)[None, None].float()
    q = F.max_pool2d(q, ALPHA_DILATE, 1, ALPHA_DILATE // 2)[0, 0].numpy()
    centre = (np.arange(CROP_SIDE) + 0.5) * side / CROP_SIDE
    sx, sy = x0 + centre, y0 + centre
    u = np.clip(sx * scale - 0.5, 0, SEGMENT_SIDE - 1)
    v = np.clip(sy * scale - 0.5, 0, SEGMENT_SIDE - 1)
    i0, j0 = np.floor(u).astype(int), np.floor(v).astype(int)
    i1, j1 = np.minimum(i0 + 1, SEGMENT_SIDE - 1), np.minimum(j0 + 1, SEGMENT_SIDE - 1)
    fu, fv = (u - i0)[None, :], (v - j0)[:, None]
    top = q[j0][:, i0] * (1 - fu) + q[j0][:, i1] * fu
    low = q[j1][:, i0] * (1 - fu) + q[j1][:, i1] * fu
    alpha = np.minimum(1.0, 2.0 * (top * (1 - fv) + low * fv))
    width, height = size
    alpha[:, (sx < 0) | (sx >= width)] = 0
    alpha[(sy < 0) | (sy >= height), :] = 0
    return alpha.astype(np.float32)


def bilinear(values, x, y):
    """Values (rows x columns x any) at pixel coordinates, clamped to the borders."""
    height, width = values.shape[:2]
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (t.reshape(t.shape + (1,) * (values.ndim - 2)) for t in (x - x0, y - y0))
    top = values[y0, x0] * (1 - fx) + values[y0, x1] * fx
    return top * (1 - fy) + (values[y1, x0] * (1 - fx) + values[y1, x1] * fx) * fy


def outline(prob, component, part):
    """Centre, angles and smoothed radii of a tongue, in letterbox pixels."""
    ys, xs = np.where(component)
    cx, cy = xs.mean() + 0.5, ys.mean() + 0.5
    pad = 3 * RIM_SMOOTH
    at = np.arange(-pad, RIM_COLUMNS + pad) + 0.5
    angle = RIM_FROM + at * (RIM_TO - RIM_FROM) / RIM_COLUMNS
    t = np.arange(2 * SEGMENT_SIDE) * 0.5 + 0.25
    x, y = cx + np.cos(angle)[:, None] * t, cy + np.sin(angle)[:, None] * t
    p = bilinear(np.asarray(prob, np.float32), x - 0.5, y - 0.5)
    p[(x < 0) | (y < 0) | (x >= part[0]) | (y >= part[1])] = 0
    radius = 0.5 * np.clip(4 * (p - 0.5) + 0.5, 0, 1).sum(1)
    box = np.full(2 * RIM_SMOOTH + 1, 1 / (2 * RIM_SMOOTH + 1))
    for _ in range(3):
        radius = np.convolve(radius, box, "valid")
    return (cx, cy), angle[pad:-pad], radius


def rim(rgb, prob, component, scale, part, square):
    """The unrolled rim (RIM_ROWS x RIM_COLUMNS x 3, u8): rows from inside out, columns round the tip."""
    x0, y0, side = square
    large = crop(rgb, x0, y0, side, RIM_SIDE).astype(np.float32)
    (cx, cy), angle, radius = outline(prob, component, part)
    factor = 1 + RIM_REACH * (2 * (np.arange(RIM_ROWS) + 0.5) / RIM_ROWS - 1)
    reach = radius * factor[:, None]
    x = ((cx + reach * np.cos(angle)) / scale - x0) * (RIM_SIDE / side) - 0.5
    y = ((cy + reach * np.sin(angle)) / scale - y0) * (RIM_SIDE / side) - 0.5
    return (bilinear(large, x, y) + 0.5).astype(np.uint8)


def mean_colour(crop_rgb, alpha):
    """The alpha-weighted mean R, G, B of a crop."""
    weight = alpha[..., None]
    return (crop_rgb.astype(np.float32) * weight).sum((0, 1)) / max(float(alpha.sum()), 1e-6)


def gain_of(mean):
    """The brightness gain for a tongue of this mean colour."""
    return float(np.clip(TARGET_LUMA / max(float(mean @ LUMA), 1e-6), MIN_GAIN, MAX_GAIN))


def lit(rgb, gain):
    """u8 values under the gain, 0-255 as float."""
    return np.minimum(255.0, gain * rgb.astype(np.float32))


def compose(crop_rgb, alpha, gain):
    """The trunk's input before normalisation, 0-255 as float."""
    a = alpha[..., None]
    return lit(crop_rgb, gain) * a + FILL * (1 - a)


def segment(net, rgb):
    """Runs the segmenter: (prob, presence, scale, part, letterboxed input)."""
    boxed, scale, part = letterbox(rgb)
    with torch.no_grad():
        logits, gate = net.segment(normalise(boxed)[None])
    prob = torch.sigmoid(logits[0].float()).numpy()
    return prob, float(torch.sigmoid(gate[0].float())), scale, part, boxed


def locate(prob, scale, part):
    """(mask fraction of the picture, component or None) of a probability map."""
    mask = prob >= THRESHOLD
    mask[part[1] :, :] = False
    mask[:, part[0] :] = False
    component = largest_component(mask)
    if component is None:
        return 0.0, None
    return component.sum() / (part[0] * part[1]), component
