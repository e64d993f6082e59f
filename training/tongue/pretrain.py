"""Trains the shipped weights on rendered pictures only, calibrates and exports them.

    python pretrain.py --train DIR --valid DIR --work DIR --out models/tongue
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import augment
import export
import learn
import measure
import others
import pipeline as pipe
import render
import rendered
from model import HEADS, QUALITY_HEADS, TongueNet

NAMES = list(HEADS)


def seg_input(boxed, generator=None):
    """Normalised segmenter inputs, with a varied cast and mirror where a generator is given."""
    x = torch.as_tensor(boxed).permute(0, 3, 1, 2).float()
    if generator is not None:
        cast = torch.exp(torch.randn(len(x), 3, 1, 1, generator=generator) * 0.1)
        gain = torch.exp(torch.randn(len(x), 1, 1, 1, generator=generator) * 0.25)
        x = (x * cast * gain).clamp(max=255)
    return ((x / 255 - augment.MEAN) / augment.STD).contiguous(memory_format=torch.channels_last)


def seg_loss(out, mask, present):
    """Cross-entropy and overlap of the mask, cross-entropy of the presence."""
    logits, gate = out[0].float(), out[1].float()
    bce = F.binary_cross_entropy_with_logits(logits, mask)
    p = torch.sigmoid(logits)
    dice = 1 - (2 * (p * mask).sum((1, 2)) + 1) / (p.sum((1, 2)) + mask.sum((1, 2)) + 1)
    return bce + 0.5 * (dice * present).mean() + 0.3 * F.binary_cross_entropy_with_logits(gate, present)


def seg_score(net, data):
    """Mean overlap (IoU) on tongues and accuracy of the presence."""
    tongue = data["mask"].any((1, 2))
    inter = union = right = 0.0
    ious = []
    for b in range(0, len(tongue), 64):
        with torch.no_grad():
            logits, gate = net.segment(seg_input(data["letterbox"][b : b + 64]))
        hit = (logits > 0).numpy()
        truth = data["mask"][b : b + 64]
        inter, union = (hit & truth).sum((1, 2)), (hit | truth).sum((1, 2))
        ious += list((inter / np.maximum(union, 1))[tongue[b : b + 64]])
        right += ((gate > 0).numpy() == tongue[b : b + 64]).sum()
    return float(np.mean(ious)), right / len(tongue)


def train_segment(net, train, valid, work, epochs, batch=32):
    """Trains the segmenter."""
    generator = torch.Generator().manual_seed(1)
    present = train["mask"].any((1, 2))

    def step(index):
        mask = torch.as_tensor(train["mask"][index]).float()
        x = seg_input(train["letterbox"][index], generator)
        if torch.rand(1, generator=generator) < 0.5:
            x, mask = x.flip(3), mask.flip(2)
        with torch.autocast("cpu", torch.bfloat16):
            out = net.segment(x)
        return seg_loss(out, mask, torch.as_tensor(present[index]).float())

    def score():
        iou, accuracy = seg_score(net, valid)
        return iou + accuracy, f"IoU {iou:.3f} presence {accuracy:.3f}"

    loop = learn.Loop(net, "segment", work, "segment", epochs, 3e-3, batch)
    return loop.run(len(present), step, score, log=say)


def head_logits(net, data, batch=64, see=("crop", "rim")):
    """Logits of the heads for all records, without augmentation."""
    rows = []
    for b in range(0, len(data["crop"]), batch):
        with torch.no_grad():
            out = net.classify(*augment.batch(rendered.rows_of(data, slice(b, b + batch)), see=see))
        rows.append({k: v.float().numpy() for k, v in out.items()})
    return {k: np.concatenate([row[k] for row in rows]) for k in rows[0]}


def aucs(logits, labels):
    """Macro AUC per head."""
    out = {}
    for k, name in enumerate(NAMES):
        if name not in logits:
            continue
        told = labels[:, k] >= 0
        out[name] = measure.macro_auc(measure.softmax(logits[name][told]), labels[told, k])
    return out


def train_heads(net, train, valid, work, epochs, part, batch=48, lr=2e-3):
    """Trains the trunk and its heads ("heads"), or the network over the rim and its own ("rim")."""
    see = ("rim",) if part == "rim" else ("crop",)
    generator = torch.Generator().manual_seed(2)
    weights = learn.class_weights(train["labels"], NAMES)
    labels = torch.as_tensor(train["labels"])

    def step(index):
        x = augment.batch(rendered.rows_of(train, index), generator, see=see)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net.classify(*x)
        return learn.head_loss(logits, labels[index], NAMES, weights)

    def score():
        value = aucs(head_logits(net, valid, see=see), valid["labels"])
        text = " ".join(f"{k} {v:.3f}" for k, v in value.items())
        return float(np.nanmean(list(value.values()))), text

    loop = learn.Loop(net, part, work, part, epochs, lr, batch)
    return loop.run(len(labels), step, score, log=say)


def calibrate(net, valid, off=()):
    """Temperatures and abstention thresholds from rendered validation pictures."""
    logits, out = head_logits(net, valid), {}
    for k, name in enumerate(NAMES):
        told = valid["labels"][:, k] >= 0
        if told.sum() < 20:
            continue
        truth, scores = valid["labels"][told, k].astype(int), logits[name][told]
        t = 1.0 if name in QUALITY_HEADS else measure.fit_temperature(scores, truth)
        entry = {"temperature": round(t, 3), "enabled": name not in off}
        if name not in QUALITY_HEADS:
            entry["abstain"] = measure.abstention(measure.softmax(scores, t), truth)
        out[name] = entry
    return out


def guards(net, valid, lost=0.005, caught=0.95):
    """Thresholds of the quality heads: each loses at most one in two hundred good rendered pictures.

    Where a lower one still refuses nineteen of twenty bad ones it is taken: photographs are never
    quite like renderings, and this leaves room for them.
    """
    logits, out = head_logits(net, valid), {}
    for name in QUALITY_HEADS:
        truth = valid["labels"][:, NAMES.index(name)]
        prob = measure.softmax(logits[name])[:, 1]
        mild = min(float(np.quantile(prob[truth == 1], lost)), float(np.quantile(prob[truth == 0], caught)))
        out[f"min_{name}"] = round(min(0.5, mild), 3)
    return out


def say(text):
    """Progress, at once."""
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("train", "valid", "work", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="model folder to start from instead of random weights")
    parser.add_argument("--segment-epochs", type=int, default=3)
    parser.add_argument("--head-epochs", type=int, default=12)
    parser.add_argument("--rim-epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--lr", type=float, default=2e-3, help="learning rate of trunk and heads")
    parser.add_argument("--version", default="1")
    parser.add_argument("--only", choices=("segment", "heads", "rim"), help="train one part and stop")
    parser.add_argument("--off", nargs="*", default=[], help="heads to ship switched off")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    train, valid = rendered.load(args.train), rendered.load(args.valid)
    say(f"{len(train['labels'])} training and {len(valid['labels'])} validation pictures")
    net = (export.load(args.init)[0] if args.init else TongueNet()).to(memory_format=torch.channels_last)
    if args.only in (None, "segment"):
        train_segment(net, train, valid, args.work, args.segment_epochs)
    for part, epochs in (("heads", args.head_epochs), ("rim", args.rim_epochs)):
        if args.only in (None, part):
            train_heads(net, train, valid, args.work, epochs, part, lr=args.lr)
    if args.only:
        return
    heads, quality = calibrate(net, valid, args.off), guards(net, valid)
    config = export.description(args.version, quality, heads)
    rng = np.random.default_rng(77)
    wanted = {"sharp": 1, "whole": 1}
    export.write(net, args.out, config, [render.draw(rng, wanted)[0], others.draw(rng, "hand")[0]])


if __name__ == "__main__":
    main()
