"""Renders a training set into part files, one process per core; resumes where it stopped.

    python rendered.py OUT --parts 16 --per-part 500 --seed 1
"""

import argparse
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

import others
import pipeline as pipe
import render
from model import HEADS, SEGMENT_SIDE
from texture import smooth

NEGATIVE = 0.2  # share of pictures without a tongue
FIELDS = ("letterbox", "mask", "crop", "alpha", "rim", "labels")


def guess(rng, mask):
    """A probability map as an imperfect segmenter would give it for this mask."""
    soft = gaussian_filter(mask.astype(np.float32), rng.uniform(0.5, 1.6))
    soft = soft + rng.normal(0, 0.12) + 0.06 * smooth(rng, mask.shape, 6)
    return np.clip((soft - 0.5) * rng.uniform(1.5, 4) + 0.5, 0, 1)


def boxed_mask(mask):
    """A source mask on the letterbox, as bool."""
    height, width = mask.shape
    scale = SEGMENT_SIDE / max(width, height)
    size = max(1, pipe.half_up(width * scale)), max(1, pipe.half_up(height * scale))
    small = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.BILINEAR))
    out = np.zeros((SEGMENT_SIDE, SEGMENT_SIDE), bool)
    out[: size[1], : size[0]] = small > 127
    return out


def cut(rgb, prob, scale, part):
    """Crop, alpha and rim for a probability map; None when it shows nothing."""
    component = pipe.locate(prob, scale, part)[1]
    if component is None:
        return None
    x0, y0, side = pipe.square_of(component, scale)
    square = pipe.crop(rgb, x0, y0, side)
    alpha = pipe.alpha_of(prob, scale, x0, y0, side, (rgb.shape[1], rgb.shape[0]))
    return square, alpha, pipe.rim(rgb, prob, component, scale, part, (x0, y0, side))


def false_alarm(rng, part):
    """A blob where a segmenter might see a tongue that is not there."""
    y, x = np.mgrid[:SEGMENT_SIDE, :SEGMENT_SIDE].astype(np.float32)
    cy, cx = part[1] * rng.uniform(0.35, 0.65), part[0] * rng.uniform(0.35, 0.65)
    ry, rx = part[1] * rng.uniform(0.15, 0.45), part[0] * rng.uniform(0.15, 0.45)
    shape = np.hypot((y - cy) / ry, (x - cx) / rx) + 0.1 * smooth(rng, y.shape, 5)
    return guess(rng, shape < 1)


def sample(seed):
    """One training record as a dict of FIELDS."""
    rng = np.random.default_rng(seed)
    names = list(HEADS)
    labels = np.full(len(names), -1, np.int8)
    if rng.random() < NEGATIVE:
        rgb, _ = others.draw(rng)
        mask = np.zeros(rgb.shape[:2], bool)
        labels[names.index("tongue")] = 0
    else:
        rgb, mask, told = render.draw(rng)
        labels[:] = [told[name] for name in names]
    boxed, scale, part = pipe.letterbox(rgb)
    target = boxed_mask(mask)
    got = cut(rgb, guess(rng, target), scale, part) if target.any() else None
    while got is None:
        got = cut(rgb, false_alarm(rng, part), scale, part)
    alpha = (got[1] * 255 + 0.5).astype(np.uint8)
    return {"letterbox": boxed, "mask": target, "crop": got[0], "alpha": alpha, "rim": got[2], "labels": labels}


def part(task):
    """Renders one part file unless it is there."""
    path, first, count = task
    if not path.exists():
        rows = [sample(first + k) for k in range(count)]
        draft = path.with_suffix(".tmp.npz")
        np.savez(draft, **{f: np.stack([row[f] for row in rows]) for f in FIELDS})
        draft.rename(path)
    return path.name


def rows_of(data, rows):
    """What the networks and the loss need of some records."""
    return {k: data[k][rows] for k in ("crop", "alpha", "rim", "labels") if k in data}


def load(folder, parts=None):
    """All records of a folder as one dict of arrays."""
    paths = sorted(p for p in Path(folder).glob("part-*.npz") if ".tmp" not in p.name)[:parts]
    files = [np.load(p) for p in paths]
    return {f: np.concatenate([file[f] for file in files]) for f in FIELDS}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--per-part", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    first = args.seed * 10_000_000
    tasks = [(args.out / f"part-{k:04}.npz", first + k * args.per_part, args.per_part) for k in range(args.parts)]
    with Pool(args.workers) as pool:
        for done, name in enumerate(pool.imap(part, tasks), 1):
            print(f"{done}/{len(tasks)} {name}", flush=True)


if __name__ == "__main__":
    main()
