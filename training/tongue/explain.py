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

SHOWN = (
    ("white coating", {"body_colour": 1, "coating_colour": 0, "coating_thickness": 1, "fissures": 0, "tooth_marks": 0}),
    ("yellow, thick", {"body_colour": 1, "coating_colour": 2, "coating_thickness": 2, "fissures": 0, "tooth_marks": 0}),
    ("greasy", {"body_colour": 0, "coating_colour": 0, "coating_thickness": 2, "coating_grease": 1, "fissures": 0}),
    ("light body", {"body_colour": 0, "coating_thickness": 0, "fissures": 0, "tooth_marks": 0}),
    ("dark body", {"body_colour": 2, "coating_thickness": 0, "fissures": 0, "tooth_marks": 0}),
    ("light cracks", {"body_colour": 1, "fissures": 1, "tooth_marks": 0}),
    ("severe cracks", {"body_colour": 1, "fissures": 2, "tooth_marks": 0}),
    ("tooth marks", {"body_colour": 0, "fissures": 0, "tooth_marks": 2}),
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


def attention(net, crop, alpha, head, label):
    """Grad-CAM of one class on one crop: a map 0-1 of the crop's size."""
    gain = pipe.gain_of(pipe.mean_colour(crop, alpha))
    maps = net.features(pipe.normalise(pipe.compose(crop, alpha, gain))[None])
    maps.retain_grad()
    logits = net.heads[head](maps.mean((2, 3)))[0]
    (logits[label] - logits.mean()).backward()
    weight = maps.grad.mean((2, 3), keepdim=True)
    cam = F.relu((weight * maps).sum(1, keepdim=True))
    cam = F.interpolate(cam, crop.shape[:2], mode="bilinear", align_corners=False)[0, 0].detach().numpy()
    return cam / max(cam.max(), 1e-6)


def overlay(crop, cam):
    """The crop in grey with the attention in red."""
    grey = np.repeat((crop.astype(np.float32) @ pipe.LUMA)[..., None], 3, 2)
    heat = np.stack([255 * np.ones_like(cam), 200 * (1 - cam), 30 * np.ones_like(cam)], 2)
    return (grey + (heat - grey) * (0.65 * cam[..., None])).astype(np.uint8)


def attention_rows(net):
    """For some traits: the crop, and where the head looked."""
    rows = []
    for head, label, seed in (("tooth_marks", 2, 11), ("fissures", 2, 12), ("coating_colour", 2, 13), ("body_colour", 2, 14)):
        wanted = {**GOOD, "fissures": 0, "tooth_marks": 0, "coating_thickness": 1, head: label}
        rgb, mask, _ = render.draw(np.random.default_rng(seed), wanted)
        _, scale, part = pipe.letterbox(rgb)
        crop, alpha = rendered.cut(rgb, rendered.boxed_mask(mask).astype(np.float32), scale, part)
        rows += [(head, crop), ("", overlay(crop, attention(net, crop, alpha, head, label)))]
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    net, _ = export.load(args.model)
    drawn = [(name, render.draw(np.random.default_rng(50 + k), {**GOOD, **w})[0]) for k, (name, w) in enumerate(SHOWN)]
    sheet([drawn[:4], drawn[4:]], 150).save(args.out / "tongue-rendered.jpg", quality=82)
    none = [(kind, others.draw(np.random.default_rng(5), kind)[0]) for kind in others.KINDS]
    sheet([none], 100).save(args.out / "tongue-others.jpg", quality=80)
    sheet([attention_rows(net)], 110).save(args.out / "tongue-attention.jpg", quality=82)


if __name__ == "__main__":
    main()
