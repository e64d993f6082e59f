"""Pictures for the documentation: rendered tongues, and what the heads attend to (Grad-CAM).

    python explain.py --model models/tongue --out docs/images
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

import export
import others
import pipeline as pipe
import render
import rendered
from model import HEADS, RIM_HEADS

#: Caption, seed and traits of the tongues that are shown.
SHOWN = (
    ("white coating", 50, {"body_colour": 1, "coating_colour": 0, "coating_thickness": 1, "fissures": 0, "tooth_marks": 0}),
    ("yellow, thick", 51, {"body_colour": 1, "coating_colour": 2, "coating_thickness": 2, "fissures": 0, "tooth_marks": 0}),
    ("greasy", 52, {"body_colour": 0, "coating_colour": 0, "coating_thickness": 2, "coating_grease": 1, "fissures": 0}),
    ("light body", 53, {"body_colour": 0, "coating_thickness": 0, "fissures": 0, "tooth_marks": 0}),
    ("dark body", 54, {"body_colour": 2, "coating_thickness": 0, "fissures": 0, "tooth_marks": 0}),
    ("light cracks", 65, {"body_colour": 1, "fissures": 1, "tooth_marks": 0}),
    ("severe cracks", 56, {"body_colour": 1, "fissures": 2, "tooth_marks": 0}),
    ("tooth marks", 67, {"body_colour": 0, "fissures": 0, "tooth_marks": 2}),
)
GOOD = {"sharp": 1, "whole": 1}


def tile(rgb, side):
    """A picture on a square, in proportion."""
    image = Image.fromarray(rgb)
    image.thumbnail((side, side))
    out = Image.new("RGB", (side, side), "white")
    out.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return out


def sheet(rows, side, gap=14):
    """A sheet of rows of (caption, u8 picture)."""
    out = Image.new("RGB", (side * max(map(len, rows)), (side + gap) * len(rows)), "white")
    pen = ImageDraw.Draw(out)
    for y, row in enumerate(rows):
        for x, (caption, rgb) in enumerate(row):
            out.paste(tile(rgb, side), (x * side, y * (side + gap) + gap))
            pen.text((x * side + 3, y * (side + gap) + 1), caption, fill="black")
    return out


def attention(net, picture, head, label):
    """Grad-CAM of one class on one crop (composed) or strip: a map 0-1 of its size."""
    x = pipe.normalise(picture)[None]
    maps = net.rim.maps(x) if head in RIM_HEADS else net.features(x)
    maps.retain_grad()
    pooled = net.rim.pool(maps) if head in RIM_HEADS else maps.mean((2, 3))
    logits = net.heads[head](pooled)[0]
    (logits[label] - logits.mean()).backward()
    weight = maps.grad.mean((2, 3), keepdim=True)
    cam = F.relu((weight * maps).sum(1, keepdim=True))
    cam = F.interpolate(cam, picture.shape[:2], mode="bilinear", align_corners=False)[0, 0].detach().numpy()
    return cam / max(cam.max(), 1e-6)


def overlay(picture, cam):
    """A picture in grey with the attention in red."""
    grey = np.repeat((picture.astype(np.float32) @ pipe.LUMA)[..., None], 3, 2)
    heat = np.stack([255 * np.ones_like(cam), 200 * (1 - cam), 30 * np.ones_like(cam)], 2)
    return (grey + (heat - grey) * (0.65 * cam[..., None])).astype(np.uint8)


def cut(seed, wanted):
    """A drawn tongue as the networks see it: crop, alpha, rim, gain."""
    rgb, mask, _ = render.draw(np.random.default_rng(seed), {**GOOD, **wanted})
    _, scale, part = pipe.letterbox(rgb)
    crop, alpha, rim = rendered.cut(rgb, rendered.boxed_mask(mask).astype(np.float32), scale, part)
    return crop, alpha, rim, pipe.gain_of(pipe.mean_colour(crop, alpha))


def attention_rows(net):
    """For some traits: the crop, and where the head looked."""
    rows = []
    for head, label, seed in (("fissures", 2, 12), ("coating_colour", 2, 13), ("body_colour", 2, 14), ("fissures", 1, 15)):
        crop, alpha, _, gain = cut(seed, {"fissures": 0, "tooth_marks": 0, "coating_thickness": 1, head: label})
        seen = attention(net, pipe.compose(crop, alpha, gain), head, label)
        rows += [(head, crop), ("", overlay(crop, seen))]
    return rows


def rims(net, path, seeds=(21, 25)):
    """A sheet of unrolled rims without, with light and with severe tooth marks; the last with the attention."""
    shown = []
    for label, name in enumerate(HEADS["tooth_marks"]):
        strips = [cut(seed, {"tooth_marks": label, "body_colour": 1}) for seed in seeds]
        shown.append([(f"tooth marks: {name}" if k == 0 else "", strip[2]) for k, strip in enumerate(strips)])
    heat = [overlay(rim, attention(net, pipe.lit(rim, gain), "tooth_marks", 2)) for _, _, rim, gain in strips]
    shown.append([("attention" if k == 0 else "", picture) for k, picture in enumerate(heat)])
    height, width, gap = pipe.RIM_ROWS * 5 // 4, pipe.RIM_COLUMNS * 5 // 4, 14
    out = Image.new("RGB", (width * len(seeds), (height + gap) * len(shown)), "white")
    pen = ImageDraw.Draw(out)
    for y, row in enumerate(shown):
        for x, (caption, strip) in enumerate(row):
            out.paste(Image.fromarray(strip).resize((width, height), Image.BILINEAR), (x * width, y * (height + gap) + gap))
            pen.text((x * width + 3, y * (height + gap) + 1), caption, fill="black")
    out.save(path, quality=82)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    net, _ = export.load(args.model)
    drawn = [(name, render.draw(np.random.default_rng(seed), {**GOOD, **w})[0]) for name, seed, w in SHOWN]
    sheet([drawn[:4], drawn[4:]], 150).save(args.out / "tongue-rendered.jpg", quality=82)
    none = [(kind, others.draw(np.random.default_rng(5), kind)[0]) for kind in others.KINDS]
    sheet([none], 100).save(args.out / "tongue-others.jpg", quality=80)
    sheet([attention_rows(net)], 110).save(args.out / "tongue-attention.jpg", quality=82)
    rims(net, args.out / "tongue-rim.jpg")


if __name__ == "__main__":
    main()
