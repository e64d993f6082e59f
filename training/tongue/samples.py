"""Writes a few rendered pictures with the reading that the model gives them.

    python samples.py --model models/tongue
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import camera
import export
import others
import reading
import render
from model import HEADS

GOOD = {"sharp": 1, "whole": 1}
WANTED = {
    "pale-marked-white": {"body_colour": 0, "tooth_marks": 2, "coating_colour": 0, "coating_thickness": 1, "fissures": 0},
    "dark-yellow": {"body_colour": 2, "tooth_marks": 0, "coating_colour": 2, "coating_thickness": 2, "fissures": 0},
    "regular-cracked": {"body_colour": 1, "tooth_marks": 0, "coating_colour": 0, "coating_thickness": 1, "fissures": 2},
}


def match(net, config, rgb, wanted):
    """How sure the model is of the wanted classes (the least of them), 0 when it refuses."""
    verdict, prob = reading.read(net, config, rgb)
    if verdict != "good":
        return 0.0
    return min(float(prob[name][label]) for name, label in wanted.items())


def typical(net, config, wanted, tries=10):
    """Of some renderings the one that the model reads best, as float scene values 0-255."""
    drawn = (render.draw(np.random.default_rng(900 + s), {**GOOD, **wanted})[0] for s in range(tries))
    return max(drawn, key=lambda rgb: match(net, config, rgb, wanted))


def describe(net, config, rgb):
    """Verdict and answers as names."""
    verdict, prob = reading.read(net, config, rgb)
    out = {"verdict": verdict}
    if verdict == "good":
        said = reading.answers(config, prob)
        out["features"] = {k: None if a is None else HEADS[k][a] for k, a in said.items()}
        out["probabilities"] = {k: [round(float(v), 3) for v in p] for k, p in prob.items()}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    net, config = export.load(args.model)
    pictures = {name: typical(net, config, wanted) for name, wanted in WANTED.items()}
    sharp = pictures["pale-marked-white"].astype(np.float32)
    pictures["blurred"] = camera.blur(sharp, 5.0).astype(np.uint8)
    pictures["too-dark"] = (sharp * 0.08).astype(np.uint8)
    pictures["hand"] = others.draw(np.random.default_rng(3), "hand")[0]
    pictures["face"] = others.draw(np.random.default_rng(4), "face")[0]
    folder = args.model / "samples"
    folder.mkdir(exist_ok=True)
    told = {}
    for name, rgb in pictures.items():
        path = folder / f"{name}.jpg"
        Image.fromarray(rgb).save(path, quality=92)
        told[path.name] = describe(net, config, np.asarray(Image.open(path).convert("RGB")))
    (folder / "samples.json").write_text(json.dumps(told, indent=1) + "\n")
    print(json.dumps({k: v.get("features", v["verdict"]) for k, v in told.items()}, indent=1))


if __name__ == "__main__":
    main()
