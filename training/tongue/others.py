"""Draws pictures that show no tongue: what a patient may send by mistake."""

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

import camera
import render
import scene
from texture import blend, dots, fractal, grain, smooth, step

SIZE = 208  # longer side, pixels: nothing fine has to be seen on them


def _canvas(rng):
    """A random picture size (height, width)."""
    aspect = rng.uniform(0.6, 1.5)
    return (SIZE, round(SIZE / aspect)) if aspect > 1 else (round(SIZE * aspect), SIZE)


def _grid(size):
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    return y / size[0], x / size[1]


def _ellipse(y, x, cy, cx, ry, rx, soft=0.04):
    return step(np.hypot((y - cy) / ry, (x - cx) / rx), 1 + soft, 1 - soft)


def face(rng):
    """A face with a closed or smiling mouth."""
    size = _canvas(rng)
    y, x = _grid(size)
    out = scene.backdrop(rng, size)
    colour = scene.skin_colour(rng)
    cy, cx, r = rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6), rng.uniform(0.3, 0.55)
    hair = rng.uniform(0.02, 0.5, 3).astype(np.float32)
    blend(out, hair, _ellipse(y, x, cy - 0.08, cx, r * 1.1, r * 0.95))
    blend(out, scene.skin(rng, size, colour), _ellipse(y, x, cy, cx, r, r * 0.76))
    for side in (-1, 1):
        ex, ey = cx + side * 0.3 * r, cy - 0.2 * r
        blend(out, np.float32(0.92), _ellipse(y, x, ey, ex, 0.06 * r, 0.13 * r))
        blend(out, hair * 0.5, _ellipse(y, x, ey, ex, 0.06 * r, 0.06 * r))
        blend(out, hair, _ellipse(y, x, ey - 0.16 * r, ex, 0.03 * r, 0.17 * r))
    blend(out, colour * 0.8, _ellipse(y, x, cy + 0.15 * r, cx, 0.06 * r, 0.1 * r, 0.5))
    lip = colour * np.array([1, 0.6, 0.6], np.float32)
    blend(out, lip, _ellipse(y, x, cy + 0.48 * r, cx, rng.uniform(0.06, 0.16) * r, rng.uniform(0.2, 0.36) * r))
    if rng.random() < 0.5:
        blend(out, np.float32(0.9), _ellipse(y, x, cy + 0.48 * r, cx, 0.06 * r, 0.2 * r))
    return out


def mouth(rng):
    """A close-up of a mouth, closed or open, the tongue not shown."""
    frame = render.place(rng, 0)
    traits = render.draw_traits(rng)
    frame.inside = frame.inside - 5
    out = scene.around(rng, frame, traits)
    if rng.random() < 0.6:
        scene.teeth(rng, frame, out, True)
    if rng.random() < 0.4:
        lip = scene.skin_colour(rng) * np.array([1, 0.65, 0.66], np.float32)
        shut = step(np.hypot(frame.u / rng.uniform(0.8, 1.3), (frame.v + 0.4) / rng.uniform(0.3, 0.6)), 1.02, 0.96)
        blend(out, scene.skin(rng, frame.size, lip), shut)
        blend(out, lip * 0.4, shut * step(np.abs(frame.v + 0.4 + 0.08 * frame.u**2), 0.05, 0.01))
    return out


def hand(rng):
    """A hand or a single finger."""
    size = _canvas(rng)
    out = scene.backdrop(rng, size)
    colour = scene.skin_colour(rng)
    layer = Image.new("L", (size[1], size[0]))
    pen = ImageDraw.Draw(layer)
    px, py, unit = size[1] * rng.uniform(0.35, 0.65), size[0] * rng.uniform(0.55, 0.8), SIZE * rng.uniform(0.6, 1.1)
    palm = unit * 0.2
    if rng.random() < 0.8:
        pen.ellipse((px - palm, py - palm, px + palm, py + palm * 1.2), fill=255)
    base = rng.normal(-np.pi / 2, 0.3)
    for k in range(int(rng.integers(1, 6))):
        a = base + (k - 2) * rng.uniform(0.2, 0.4)
        tip = (px + np.cos(a) * unit * rng.uniform(0.4, 0.6), py + np.sin(a) * unit * rng.uniform(0.4, 0.6))
        w = int(unit * 0.09)
        pen.line((px, py, *tip), fill=255, width=w)
        pen.ellipse((tip[0] - w / 2, tip[1] - w / 2, tip[0] + w / 2, tip[1] + w / 2), fill=255)
    mask = gaussian_filter(np.asarray(layer, np.float32) / 255, 0.8)
    shade = 0.6 + 0.4 * gaussian_filter(mask, 4)
    blend(out, scene.skin(rng, size, colour) * shade[..., None], mask)
    return out


def food(rng):
    """Meat, fruit or a dish on a plate."""
    size = _canvas(rng)
    y, x = _grid(size)
    out = scene.backdrop(rng, size)
    if rng.random() < 0.6:
        blend(out, np.float32(rng.uniform(0.7, 1)), _ellipse(y, x, 0.5, 0.5, 0.48, 0.48, 0.02))
    kinds = ([0.75, 0.12, 0.1], [0.85, 0.5, 0.45], [0.55, 0.25, 0.15], [0.9, 0.7, 0.2], [0.3, 0.55, 0.15], [0.95, 0.55, 0.15], [0.9, 0.85, 0.75])
    for _ in range(int(rng.integers(2, 14))):
        colour = np.array(kinds[rng.integers(len(kinds))], np.float32) + rng.normal(0, 0.05, 3).astype(np.float32)
        cy, cx, r = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.05, 0.24)
        body = _ellipse(y + 0.03 * smooth(rng, size, 6), x, cy, cx, r, r * rng.uniform(0.5, 1.6))
        dome = 1.1 - 0.5 * np.hypot(y - cy + r / 3, x - cx + r / 3) / r
        texture = 1 + rng.uniform(0, 0.15) * fractal(rng, size, rng.uniform(5, 30))
        blend(out, colour * (dome * texture)[..., None].clip(0.2, 1.3), body)
        blend(out, np.float32(1), _ellipse(y, x, cy - r / 2, cx - r / 3, r / 7, r / 6, 0.5) * rng.uniform(0, 0.8))
    if rng.random() < 0.4:
        seeds = dots(rng, size, np.ones(size, np.float32), int(rng.uniform(20, 300)), rng.uniform(0.6, 2))
        blend(out, rng.uniform(0, 1, 3).astype(np.float32), seeds)
    return out


def screen(rng):
    """A screenshot: bars, boxes and lines of text."""
    size = _canvas(rng)
    paper = rng.choice([0, 255], p=[0.3, 0.7])
    image = Image.new("RGB", (size[1], size[0]), (int(paper),) * 3)
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 9))):
        x, y, w, h = rng.uniform(0, size[1]), rng.uniform(0, size[0]), rng.uniform(10, 150), rng.uniform(5, 80)
        pen.rectangle((x, y, x + w, y + h), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    gap = rng.uniform(6, 16)
    for row in np.arange(rng.uniform(4, 40), size[0], gap):
        x = rng.uniform(4, 30)
        while x < size[1] * rng.uniform(0.6, 1):
            w = rng.uniform(3, 22)
            pen.rectangle((x, row, x + w, row + gap * rng.uniform(0.2, 0.45)), fill=(int(255 - paper),) * 3)
            x += w + rng.uniform(2, 6)
    return np.asarray(image, np.float32) / 255


def stuff(rng):
    """Textures, stripes, sky and ground, collages, noise, blank frames."""
    size = _canvas(rng)
    y, x = _grid(size)
    kind = rng.integers(6)
    out = scene.backdrop(rng, size)
    if kind == 0:
        blend(out, rng.uniform(0, 1, 3).astype(np.float32), step(fractal(rng, size, rng.uniform(2, 30)), -0.2, 0.2))
    elif kind == 1:
        angle = rng.uniform(0, np.pi)
        wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * rng.uniform(10, 150))
        blend(out, rng.uniform(0, 1, 3).astype(np.float32), step(wave, -0.3, 0.3))
    elif kind == 2:
        line = rng.uniform(0.3, 0.7) + 0.03 * smooth(rng, size, 6)
        blend(out, np.array([0.6, 0.75, 0.95], np.float32), step(y, line, line - 0.03))
        out *= (1 + 0.1 * grain(rng, size, 1))[..., None]
    elif kind == 3:
        for _ in range(int(rng.integers(3, 20))):
            colour = rng.uniform(0, 1, 3).astype(np.float32)
            blend(out, colour, _ellipse(y, x, rng.random(), rng.random(), rng.uniform(0.03, 0.3), rng.uniform(0.03, 0.3)))
    elif kind == 4:
        out = rng.random((*size, 3), dtype=np.float32)
    else:
        out = np.broadcast_to(rng.uniform(0, 1, 3).astype(np.float32), (*size, 3)).copy()
    return out


def bare_skin(rng):
    """Skin from near: a cheek, an arm, the inside of a lip."""
    size = _canvas(rng)
    colour = scene.skin_colour(rng) * np.array([1, rng.uniform(0.65, 1), rng.uniform(0.65, 1)], np.float32)
    out = scene.skin(rng, size, colour)
    out *= (1 + 0.15 * smooth(rng, size, 3))[..., None]
    return out


KINDS = {"face": face, "mouth": mouth, "hand": hand, "food": food, "screen": screen, "stuff": stuff, "skin": bare_skin}


def draw(rng, kind=None):
    """A picture (u8 RGB) without a tongue, and the name of its kind."""
    kind = kind or str(rng.choice(list(KINDS), p=[0.2, 0.2, 0.12, 0.2, 0.08, 0.12, 0.08]))
    scene_ = np.clip(KINDS[kind](rng), 0, 1.2)
    shot = camera.shoot(rng, scene_, rng.uniform(0.5, 1.2), rng.choice([0, 0.5, 2.5], p=[0.5, 0.4, 0.1]))
    return camera.store(rng, shot, np.zeros(shot.shape[:2]))[0], kind
