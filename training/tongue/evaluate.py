"""Measures a model on photographs that it never saw: it is read only, never fitted.

    python evaluate.py --model models/tongue --images DIR --labels labels.tsv [--masks DIR] --json out.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

import export
import measure
import others
import photographs
import pipeline as pipe
import pretrain
import reading
import rendered
import report
from model import HEADS


def darker(rgb):
    """A third of the light."""
    return (rgb.astype(np.float32) * 0.35).astype(np.uint8)


def yellow_lit(rgb):
    """Lamp light without white balance."""
    return np.minimum(rgb * np.array([1.08, 0.97, 0.70], np.float32), 255).astype(np.uint8)


def blurred(rgb):
    """Out of focus: sigma of 1.2 % of the longer side."""
    sigma = 0.012 * max(rgb.shape[:2])
    return gaussian_filter(rgb, (sigma, sigma, 0))


CHANGES = {"as it is": lambda rgb: rgb, "darker": darker, "yellow-lit": yellow_lit, "blurred": blurred}


def read_all(net, config, pictures):
    """Verdicts and probabilities of all pictures."""
    return [reading.read(net, config, rgb) for rgb in pictures]


def head_figures(config, readings, labels):
    """Per head: AUC, sensitivities, coverage at 90 % precision, answered share and accuracy."""
    out = {}
    for k, name in enumerate(HEADS):
        rows = [i for i, (_, p) in enumerate(readings) if p is not None and labels[i, k] >= 0]
        if not rows:
            continue
        prob = np.stack([readings[i][1][name] for i in rows])
        truth = labels[rows, k].astype(int)
        present = sorted(set(truth))
        masked = np.full_like(prob, 0)
        masked[:, present] = prob[:, present]
        masked /= masked.sum(1, keepdims=True).clip(1e-9)
        matrix = measure.confusion(masked.argmax(1), truth, len(HEADS[name]))
        said = [(reading.answers(config, p)[name] if v == "good" else None) for v, p in (readings[i] for i in rows)]
        given = [(a, t) for a, t in zip(said, truth) if a is not None]
        out[name] = {
            "labelled": len(rows),
            "auc": round(measure.macro_auc(prob, truth), 3),
            "sensitivity": {HEADS[name][c]: round(matrix[c, c] / max(matrix[c].sum(), 1), 3) for c in present},
            "coverage_at_90": round(measure.coverage_at(masked, truth), 3),
            "answered": round(len(given) / len(rows), 3),
            "accuracy_of_answers": round(float(np.mean([a == t for a, t in given])), 3) if given else None,
            "confusion": matrix.tolist(),
        }
    return out


def overlap(net, pictures, ids, masks):
    """Mean IoU of the segmenter with given masks, on the letterbox."""
    values = []
    for rgb, name in zip(pictures, ids):
        prob, _, scale, part, _ = pipe.segment(net, rgb)
        got = pipe.locate(prob, scale, part)[1]
        truth = rendered.boxed_mask(np.asarray(Image.open(photographs.find(masks, name)).convert("L")) > 127)
        got = np.zeros_like(truth) if got is None else got
        values.append((got & truth).sum() / max((got | truth).sum(), 1))
    return round(float(np.mean(values)), 3)


def rejection(net, config, count, seed=4242):
    """Share of drawn pictures without a tongue that get a verdict other than good, by kind."""
    out = {}
    for k, kind in enumerate(others.KINDS):
        each = max(1, count // len(others.KINDS))
        drawn = [others.draw(np.random.default_rng(seed + 1000 * k + i), kind)[0] for i in range(each)]
        verdicts = [reading.read(net, config, rgb)[0] for rgb in drawn]
        out[kind] = round(float(np.mean([v != "good" for v in verdicts])), 3)
    out["all"] = round(float(np.mean(list(out.values()))), 3)
    return out


def by_given_masks(net, args):
    """Per head AUC and confusion, the tongues cut by the given masks: the trunk alone is judged."""
    data = photographs.prepare(args.images, args.labels, args.crops, None, args.masks)
    return report.figures_of(pretrain.head_logits(net, data), data["labels"])


def tally(readings):
    """How often each verdict was given."""
    verdicts, counts = np.unique([v for v, _ in readings], return_counts=True)
    return {str(v): int(c) for v, c in zip(verdicts, counts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--every", type=int, default=1, help="read only every n-th picture")
    parser.add_argument("--copy-every", type=int, default=1, help="and of those every n-th changed copy")
    parser.add_argument("--changes", nargs="*", default=list(CHANGES))
    parser.add_argument("--drawn", type=int, default=700, help="how many pictures without a tongue to draw")
    parser.add_argument("--crops", type=Path, help="cut by the given masks, keep the crops in this file, stop")
    args = parser.parse_args()
    torch.set_num_threads(1)
    net, config = export.load(args.model)
    if args.crops:
        print(json.dumps(by_given_masks(net, args), indent=1))
        return
    ids, labels = photographs.read_table(args.labels)
    ids, labels = ids[:: args.every], labels[:: args.every]
    pictures = [photographs.read(photographs.find(args.images, name)) for name in ids]
    result = {"pictures": len(ids)}
    if args.masks:
        result["mask_iou"] = overlap(net, pictures, ids, args.masks)
    for name in args.changes:
        n = 1 if name == "as it is" else args.copy_every
        readings = read_all(net, config, (CHANGES[name](rgb) for rgb in pictures[::n]))
        result[name] = {"verdicts": tally(readings), "heads": head_figures(config, readings, labels[::n])}
        print(name, json.dumps(result[name]), flush=True)
    result["rejected_without_tongue"] = rejection(net, config, args.drawn)
    text = json.dumps(result, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
