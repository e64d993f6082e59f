"""Draws tongues: picture, mask and labels from one random number generator.

Everything is a function of the seed. Colours follow a rough model of blood under
a pale surface, the coating lies over it, then cracks, highlights, surroundings
and the camera. The ranges come from descriptions of tongue diagnosis and from looking
at photographs beside renderings, sheets sorted by label among them; no number was
computed from labelled pictures.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter

import camera
import scene
from model import HEADS
from texture import blend, dots, fractal, grain, random_walk, smooth, step, strokes

SIZE = 320  # longer side of a rendered picture, pixels


@dataclass
class Traits:
    """What a rendered tongue has. Class indices as in `model.HEADS`; -1 is "not told"."""

    labels: dict
    blood: float  # depth of the body colour
    purple: float
    yellow: float
    opacity: float  # of the coating
    grease: float
    crack: int
    marks: int
    extra: dict = field(default_factory=dict)


def draw_traits(rng, wanted=None):
    """Draws independent traits; `wanted` fixes classes by name."""
    labels = {name: int(rng.integers(len(classes))) for name, classes in HEADS.items()}
    labels["coating_thickness"] = int(rng.choice(3, p=[0.15, 0.55, 0.3]))
    labels.update(tongue=1, sharp=int(rng.random() > 0.07), whole=int(rng.random() > 0.07))
    labels.update(wanted or {})
    body = labels["body_colour"]
    blood = rng.uniform(*((0.22, 0.44), (0.5, 0.74), (0.82, 1.3))[body])
    purple = rng.uniform(0, 1) if rng.random() < (0.1, 0.15, 0.45)[body] else rng.uniform(0, 0.15)
    yellow = rng.uniform(*((0.0, 0.1), (0.27, 0.48), (0.65, 1.0))[labels["coating_colour"]])
    opacity = rng.uniform(*((0.0, 0.09), (0.2, 0.45), (0.58, 0.92))[labels["coating_thickness"]])
    grease = rng.uniform(*((0.0, 0.3), (0.7, 1.0))[labels["coating_grease"]])
    if labels["coating_thickness"] == 0:
        labels["coating_colour"] = labels["coating_grease"] = -1
    return Traits(
        labels, blood, purple, yellow, opacity, grease, labels["fissures"], labels["tooth_marks"]
    )


def tooth_marks(rng, theta, degree):
    """Relative notch depth along the contour table, and where the marks are (0-1)."""
    if degree == 0:
        return np.zeros_like(theta), np.zeros_like(theta)
    low, high = ((0.005, 0.02), (0.016, 0.055))[degree - 1]
    notch, trace, peak = np.zeros_like(theta), np.zeros_like(theta), rng.uniform(1.0, 2.2)
    for side in (0, 1):
        if degree == 1 and rng.random() < 0.25:
            continue
        at, end = rng.uniform(-0.4, 0.25), rng.uniform(0.75, 1.4)
        pitch = rng.uniform(0.2, 0.6)
        while at < end:
            centre = at if side == 0 else np.pi - at
            delta = np.abs((theta - centre + np.pi) % (2 * np.pi) - np.pi)
            width = pitch * rng.uniform(0.22, 0.48)
            if rng.random() < (0.7, 0.92)[degree - 1]:
                bump = np.exp(-((delta / width) ** peak))
                notch += rng.uniform(low, high) * bump
                trace += bump
            at += pitch * rng.uniform(0.65, 1.45)
    return notch, np.minimum(trace, 1)


def contour(rng, degree):
    """A table of radii over 720 angles (angle 0 right, pi/2 the tip), and of tooth marks."""
    theta = np.linspace(-np.pi, np.pi, 720, endpoint=False).astype(np.float32)
    c, s = np.abs(np.cos(theta)), np.abs(np.sin(theta))
    n = np.where(np.sin(theta) < 0, rng.uniform(2.4, 6), rng.uniform(1.75, 3.0))
    radius = (c**n + s**n) ** (-1 / n)
    top, tip = (theta + np.pi / 2) / rng.uniform(0.25, 0.6), (theta - np.pi / 2) / rng.uniform(0.08, 0.4)
    radius *= 1 - rng.uniform(0, 0.16) * np.exp(-(top**2))
    radius *= 1 + rng.choice([-1, 1], p=[0.4, 0.6]) * rng.uniform(0, 0.05) * np.exp(-(tip**2))
    for k in range(2, 13):
        radius *= 1 + rng.normal(0, 0.045 / k**1.25) * np.cos(k * theta + rng.uniform(0, 7))
    rough = gaussian_filter(rng.standard_normal(720), rng.uniform(2, 9), mode="wrap")
    radius *= 1 + rng.uniform(0, 0.0035) * rough / rough.std()
    notch, trace = tooth_marks(rng, theta, degree)
    return theta, (radius * (1 - notch)).astype(np.float32), trace


@dataclass
class Frame:
    """Where the tongue lies: u, v in half widths and half lengths, edge distance, masks."""

    size: tuple
    u: np.ndarray
    v: np.ndarray
    inside: np.ndarray  # 0 at the edge, 1 in the middle, negative outside
    cover: np.ndarray  # antialiased mask
    trace: np.ndarray  # tooth marks at this angle
    half: float  # half length, pixels
    wide: float  # half width, pixels
    centre: tuple
    angle: float

    def pixel(self, u, v):
        """Picture coordinates of a point of the tongue."""
        x, y = u * self.wide, v * self.half
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.array([self.centre[0] + c * x - s * y, self.centre[1] + s * x + c * y])


def place(rng, degree, size=SIZE):
    """Draws the framing and the outline."""
    aspect = rng.uniform(0.62, 1.2)
    height, width = (size, round(size / aspect)) if aspect > 1 else (round(size * aspect), size)
    wide = width * rng.uniform(0.29, 0.45)
    half = min(wide * rng.uniform(0.7, 1.5), height * rng.uniform(0.38, 0.5))
    wide = min(max(wide, half * 0.6), half * 1.35)
    centre = (width * (0.5 + rng.normal(0, 0.03)), height * (0.52 + rng.normal(0, 0.03)))
    angle = rng.normal(0, 0.09)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x - centre[0], y - centre[1]
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = (c * x + s * y) / wide, (c * y - s * x) / half
    bend = rng.normal(0, 0.05)
    u = (u + bend * v * v) / (1 - rng.uniform(-0.08, 0.28) * v).clip(0.4)
    rho = np.hypot(u, v)
    theta, radius, trace = contour(rng, degree)
    at = (np.arctan2(v, u) + np.pi) * (720 / (2 * np.pi))
    index = np.minimum(at.astype(np.int32), 719)
    frac = at - index
    r = radius[index] * (1 - frac) + radius[(index + 1) % 720] * frac
    inside = 1 - rho / r
    cover = np.clip(inside * r * min(wide, half) + 0.5, 0, 1)
    return Frame((height, width), u, v, inside, cover, trace[index], half, wide, centre, angle)


def flesh(rng, frame, traits):
    """The body of the tongue without coating."""
    absorb = np.array([0.11, 0.68, 0.58], np.float32)
    absorb += traits.purple * np.array([0.13, 0.03, -0.16], np.float32)
    base = np.array([0.94, 0.86, 0.83], np.float32) * rng.uniform(0.92, 1.03)
    depth = traits.blood * (1 + rng.uniform(0.01, 0.07) * fractal(rng, frame.size, 4))
    rim = rng.uniform(-0.05, 0.22) * step(frame.inside, 0.4, 0.0)
    tip = rng.uniform(-0.05, 0.3) * step(frame.v, 0.35, 1.0)
    dent = rng.uniform(0, 0.35) * (0.0, 0.5, 1.0)[traits.marks] * frame.trace * step(frame.inside, rng.uniform(0.1, 0.3), 0.0)
    depth = depth * (1 + rim + tip + dent)
    sharp = np.abs(frame.v) < 2
    count = int(rng.choice([0, 1, 1]) * rng.uniform(20, 220))
    where = sharp * (frame.inside > 0.02) * (0.15 + step(frame.v, -0.5, 0.9) + step(frame.inside, 0.4, 0))
    spots = dots(rng, frame.size, where, count, rng.uniform(0.6, 1.3) * frame.half / 85)
    depth = depth * (1 + rng.uniform(0.1, 0.45) * spots)
    if rng.random() < 0.25:
        depth = depth * (1 + 0.12 * np.maximum(smooth(rng, frame.size, 7), 0))
    return base * np.exp(-depth[..., None] * absorb)


def coat(rng, frame, traits, picture, cracks):
    """Lays the coating over the body."""
    reach, edge = rng.uniform(-0.25, 1.1), rng.uniform(0.1, 0.5)
    shape = step(frame.inside, 0.0, edge) * step(frame.v, reach + 0.5, reach - 0.6)
    shape *= np.clip(0.85 + rng.uniform(0.03, 0.18) * fractal(rng, frame.size, 4), 0.1, 1.25)
    if rng.random() < 0.3:
        shape *= step(np.abs(frame.u), 1.1, rng.uniform(0.2, 0.8))
    fine = grain(rng, frame.size, rng.uniform(0.5, 1.3) * frame.half / 85)
    rough = (1 - 0.85 * traits.grease) * rng.choice([rng.uniform(0.05, 0.2), rng.uniform(0.15, 0.4)])
    clump = traits.grease * rng.uniform(0.05, 0.2) * smooth(rng, frame.size, 18)
    alpha = np.clip(traits.opacity * shape * (1 + rough * fine + clump), 0, 0.97)
    if traits.grease > 0.5:
        alpha = np.clip(alpha * 1.25 - 0.06, 0, 0.97)
    alpha *= 1 - 0.75 * cracks
    white = np.array([0.94, 0.88, 0.87], np.float32) * rng.uniform(0.92, 1.05)
    yellow = np.array([0.86, rng.uniform(0.68, 0.76), rng.uniform(0.36, 0.52)], np.float32)
    yellow *= rng.uniform(0.88, 1.05)
    tone = traits.yellow * np.clip(0.62 + 0.5 * shape + 0.12 * smooth(rng, frame.size, 5), 0.2, 1.15)
    colour = white + (yellow - white) * tone[..., None]
    blend(picture, colour, alpha)


def crack_lines(rng, frame, degree):
    """Polylines (points, widths, depth) of the cracks of this degree."""
    paths, down = [], np.pi / 2 + frame.angle
    mid = rng.random() < (0.7, 0.85)[degree - 1]
    if mid:
        start = frame.pixel(rng.normal(0, 0.04), rng.uniform(-0.75, -0.2))
        length = frame.half * rng.uniform(*((0.25, 1.0), (0.5, 1.5))[degree - 1])
        path = random_walk(rng, start, down, length, rng.uniform(0.1, 0.3), 26)
        paths.append(path)
        for _ in range(rng.integers(0, (3, 8)[degree - 1])):
            from_ = path[rng.integers(2, len(path))]
            side = rng.choice([-1, 1]) * rng.uniform(0.2, 1.2)
            size = frame.wide * rng.uniform(0.06, 0.35)
            paths.append(random_walk(rng, from_, down + side, size, 0.5, 9))
    net = degree == 2 and rng.random() < 0.3
    spread = rng.uniform(0.15, 0.4) if net else rng.uniform(0.05, 0.3)
    centre = rng.uniform(-0.4, 0.3)
    more = rng.integers(6, 15) if net else rng.integers(0 if mid else 2, (4, 8)[degree - 1])
    for _ in range(more):
        start = frame.pixel(rng.normal(0, spread), rng.normal(centre, 0.3))
        size = frame.half * rng.uniform(*((0.06, 0.3), (0.12, 0.6))[degree - 1]) * (0.6 if net else 1)
        heading = rng.uniform(0, np.pi) if net or rng.random() < 0.15 else down + rng.normal(0, 0.25)
        paths.append(random_walk(rng, start, heading, size, 0.5, 10))
    low, high = ((0.15, 0.45), (0.25, 0.75))[degree - 1]
    thin, thick = ((0.6, 1.6), (1.6, 4.5))[degree - 1]
    out = []
    for path in paths:
        taper = np.sin(np.linspace(0.3, np.pi - 0.2, len(path))) * rng.uniform(0.6, 1.4, len(path))
        width = rng.uniform(thin, thick) * (1 if path is paths[0] else 0.7) * (0.4 + 0.8 * taper)
        out.append((path, width * frame.half / 85, rng.uniform(low, high)))
    return out


def crack_map(rng, frame, degree):
    """Depth of cracks per pixel, 0-1, inside the tongue."""
    if degree == 0:
        return np.zeros(frame.size, np.float32)
    lines = strokes(frame.size, crack_lines(rng, frame, degree))
    soft = gaussian_filter(lines, rng.uniform(0.35, 0.8 + 0.4 * degree) * frame.half / 85, truncate=2.5)
    wide = gaussian_filter(lines, rng.uniform(1.5, 4.0) * frame.half / 85, truncate=2)
    return np.minimum(soft * 1.15 + rng.uniform(0.1, 0.9) * wide, 1) * (frame.inside > 0.03)


def relief(rng, frame, picture, cracks, degree):
    """Shading: dome, median groove, papillae, cracks, tooth marks, shadow at the root."""
    round_ = np.sqrt(np.clip(1 - (1 - frame.inside.clip(0)) ** rng.uniform(2, 7), 0, 1))
    light = 1 - rng.uniform(0.05, 0.35) * (1 - round_)
    light *= 1 + rng.normal(0, 0.07) * frame.u + rng.normal(0, 0.07) * frame.v
    if rng.random() < 0.7:
        along = step(frame.v, rng.uniform(-1.2, -0.4), 0.0) * step(frame.v, rng.uniform(0.3, 1.0), 0.0)
        groove = np.exp(-(((frame.u - rng.normal(0, 0.03)) / rng.uniform(0.03, 0.16)) ** 2))
        light *= 1 - rng.uniform(0.02, 0.15) * groove * along
    light *= 1 + rng.uniform(0.01, 0.05) * grain(rng, frame.size, rng.uniform(0.5, 1.1) * frame.half / 85)
    light *= 1 + rng.uniform(0, 0.05) * fractal(rng, frame.size, 6, 2)
    light *= 1 - rng.uniform(0, 0.5) * step(frame.v, rng.uniform(-0.85, -0.5), -1.05)
    reach, sink = rng.uniform(0.08, 0.25), rng.uniform(0.05, 0.3) * (0.3, 0.5, 1.0)[degree]
    light *= 1 - sink * (frame.trace - 0.4 * (frame.trace.max() > 0)) * step(frame.inside, reach, 0.0)
    shoulder = np.clip(gaussian_filter(cracks, 2.2 * frame.half / 85, truncate=2) - 0.7 * cracks, 0, 1)
    light *= 1 + rng.uniform(0, 0.3) * shoulder
    dark = np.array([0.42, 0.62, 0.58], np.float32) * rng.uniform(0.6, 1.15)
    picture *= light[..., None] * (1 - np.minimum(cracks[..., None] * dark, 0.9))


def gloss(rng, frame, picture, cracks):
    """Wet highlights."""
    if rng.random() < 0.15:
        return
    at_u, at_v = rng.normal(0, 0.35), rng.uniform(-0.2, 0.85)
    wide, high = rng.uniform(0.15, 0.8), rng.uniform(0.1, 0.5)
    spot = np.exp(-(((frame.u - at_u) / wide) ** 2) - ((frame.v - at_v) / high) ** 2)
    spot += 0.5 * step(np.abs(frame.inside - rng.uniform(0.1, 0.25)), 0.12, 0.0) * (frame.v > rng.uniform(-0.5, 0.6))
    bumps = fractal(rng, frame.size, rng.uniform(18, 60), 2) * rng.uniform(0.4, 1)
    bumps = bumps + rng.uniform(0, 0.6) * grain(rng, frame.size, rng.uniform(0.6, 1.0) * frame.half / 85)
    shine = step(bumps * (0.3 + spot) + 0.8 * spot, rng.uniform(0.9, 1.7), rng.uniform(2.0, 3.2))
    shine *= (frame.inside > 0.02) * (1 - cracks) * rng.uniform(0.2, 1)
    blend(picture, np.float32(1.0), shine)
    haze = spot * rng.uniform(0, 0.12)
    blend(picture, np.float32(1.0), haze)


def draw(rng, wanted=None, size=SIZE):
    """A picture (u8 RGB), its mask (bool) and its labels by head."""
    traits = draw_traits(rng, wanted)
    frame = place(rng, traits.marks, size)
    cracks = crack_map(rng, frame, traits.crack)
    tongue = flesh(rng, frame, traits)
    coat(rng, frame, traits, tongue, cracks)
    relief(rng, frame, tongue, cracks, traits.marks)
    gloss(rng, frame, tongue, cracks)
    picture = scene.around(rng, frame, traits)
    blend(picture, tongue, frame.cover)
    cover = scene.in_front(rng, frame, picture, traits, frame.cover)
    unit = max(frame.size) / 208  # what a lens blurs grows with the picture
    sigma, smear = 1.8 * rng.random() ** 1.2, 0.0
    if not traits.labels["sharp"]:
        sigma = rng.uniform(2.6, 6.5)
        if rng.random() < 0.3:
            sigma, smear = 0.5, rng.uniform(8, 18)
    out = camera.shoot(rng, picture, 1.0, sigma * unit, smear * unit)
    out, cover = camera.store(rng, out, cover)
    if not traits.labels["sharp"]:
        traits.labels["fissures"] = traits.labels["tooth_marks"] = -1
    if not traits.labels["whole"]:
        traits.labels.update({k: -1 for k in HEADS if k not in ("whole", "sharp", "tongue")})
    return out, cover > 0.5, traits.labels
