"""What is around a tongue: skin, lips, mouth, teeth, and things in front of it."""

import numpy as np

from texture import blend, dots, fractal, grain, smooth, step

SKINS = np.array(
    [[0.93, 0.78, 0.70], [0.85, 0.66, 0.54], [0.76, 0.57, 0.44], [0.60, 0.42, 0.31], [0.40, 0.27, 0.20]],
    np.float32,
)


def skin_colour(rng):
    """A skin tone between the sampled ones."""
    at = rng.uniform(0, len(SKINS) - 1.01)
    base = SKINS[int(at)] + (SKINS[int(at) + 1] - SKINS[int(at)]) * (at % 1)
    return (base * rng.uniform(0.88, 1.08) + rng.normal(0, 0.015, 3)).astype(np.float32)


def skin(rng, size, colour):
    """A patch of skin: uneven, with pores, maybe stubble or spots."""
    light = 1 + 0.06 * fractal(rng, size, 3, 2) + rng.uniform(0.005, 0.03) * grain(rng, size, rng.uniform(0.5, 1.2))
    out = colour * light[..., None]
    if rng.random() < 0.25:
        where = np.ones(size, np.float32)
        hair = dots(rng, size, where, int(rng.uniform(50, 500)), rng.uniform(0.4, 0.8))
        blend(out, colour * 0.35, hair * rng.uniform(0.2, 0.7))
    return out


def backdrop(rng, size):
    """A plain or uneven coloured background."""
    colour = rng.uniform(0.05, 0.95, 3).astype(np.float32)
    out = np.broadcast_to(colour, (*size, 3)) * (1 + 0.1 * fractal(rng, size, 3, 2))[..., None]
    return out.astype(np.float32)


def teeth(rng, frame, picture, upper):
    """A row of teeth above the root (upper) or at the sides."""
    y = frame.v * frame.half
    x = frame.u * frame.wide
    width, height = frame.wide * rng.uniform(0.16, 0.3), frame.half * rng.uniform(0.15, 0.4)
    if upper:
        line = -frame.half * rng.uniform(0.82, 1.05) + 0.12 * height * (x / frame.wide) ** 2
        row = step(y, line + 1, line - 1) * step(y, line - height - 1, line - height + 1)
        row = row * step(np.abs(x), frame.wide * 0.9, frame.wide * 0.6)
    else:
        row = step(np.abs(frame.u), 0.95, 1.05) * step(np.abs(frame.u), 1.35, 1.2)
        row = row * step(np.abs(frame.v + 0.3), 0.6, 0.4)
    gaps = np.abs(((x if upper else y) / width + rng.random()) % 1 - 0.5) * 2
    colour = np.array([0.93, 0.9, 0.82], np.float32) * rng.uniform(0.6, 1.05)
    shade = colour * (1 - 0.35 * step(gaps, 0.75, 1.0))[..., None]
    blend(picture, shade, row * rng.uniform(0.75, 1))


def around(rng, frame, traits):
    """The scene behind the tongue."""
    size = frame.size
    colour = skin_colour(rng)
    picture = skin(rng, size, colour)
    if rng.random() < 0.08:
        picture = backdrop(rng, size)
    u, v = frame.u, frame.v
    warp = 0.05 * smooth(rng, size, 4)
    cy, ry = rng.uniform(-0.75, -0.2), rng.uniform(0.45, 0.95)
    rx = rng.uniform(0.95, 1.35)
    mouth = 1 - np.hypot((u / rx), (v - cy) / ry) + warp
    lip = colour * np.array([1.0, 0.72, 0.74], np.float32) * rng.uniform(0.85, 1.1)
    lip = lip + (np.array([0.75, 0.2, 0.28], np.float32) - lip) * (rng.random() < 0.1) * 0.8
    thick = rng.uniform(0.08, 0.35)
    lips = skin(rng, size, lip.astype(np.float32))
    blend(picture, lips, step(mouth, -thick, -thick + 0.08) * rng.uniform(0.6, 1))
    hole = np.array([0.25, 0.08, 0.08], np.float32) * rng.uniform(0.1, 1.6)
    blend(picture, hole, step(mouth, -0.03, 0.08))
    if rng.random() < 0.25:
        teeth(rng, frame, picture, False)
    shadow = step(frame.inside, -rng.uniform(0.08, 0.3), 0.02) * rng.uniform(0, 0.55)
    picture *= (1 - shadow * (frame.v > -0.3))[..., None]
    if rng.random() < 0.3:
        rest = np.hypot(u * rng.uniform(0.8, 1.1), v) - rng.uniform(1.15, 1.6)
        grey = np.float32(rng.uniform(0.1, 0.9)) * (1 + 0.1 * smooth(rng, size, 8))[..., None]
        blend(picture, grey * np.ones(3, np.float32), step(rest, 0, 0.03) * (v > 0))
    return picture


def in_front(rng, frame, picture, traits, cover):
    """Upper teeth and lip over the root; a hand or thing when the tongue is covered."""
    if rng.random() < 0.45:
        teeth(rng, frame, picture, True)
    if rng.random() < 0.35:
        edge = frame.v + 0.06 * (frame.u**2) + 0.02 * smooth(rng, frame.size, 5)
        line = rng.uniform(-1.15, -0.8)
        lip = skin_colour(rng) * np.array([1.0, 0.75, 0.77], np.float32)
        upper = step(edge, line + 0.03, line - 0.03)
        blend(picture, lip, upper)
        cover = cover * (1 - upper)
    if traits.labels["whole"]:
        return cover
    angle, offset = rng.uniform(0, np.pi), rng.normal(0, 0.3)
    across = np.cos(angle) * frame.u + np.sin(angle) * frame.v - offset
    width = rng.uniform(0.22, 0.55)
    bar = step(np.abs(across) + 0.04 * smooth(rng, frame.size, 4), width + 0.02, width - 0.02)
    thing = skin(rng, frame.size, skin_colour(rng)) if rng.random() < 0.5 else backdrop(rng, frame.size)
    thing = thing * (0.75 + 0.25 * np.sqrt(np.clip(1 - (across / width) ** 2, 0, 1)))[..., None]
    blend(picture, thing, bar)
    return cover * (1 - bar)
