"""Trains on a folder of photographs with a label table: cross-validates, reports, exports.

    python train.py --images DIR --labels labels.tsv --init models/tongue --work DIR \
        [--masks DIR] [--rendered DIR] [--folds 5] [--epochs 20] [--inner 0.1] [--export DIR]

Interrupted runs go on from the last finished epoch of the fold they were in. With
`--inner` a share of each training part chooses the epoch (early stopping); with 0
every fold runs all epochs and its last state counts. `--rendered` mixes rendered
pictures into every batch, so that classes that nobody labelled are still taught.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

import augment
import export
import learn
import measure
import photographs
import rendered
import report
from model import HEADS, QUALITY_HEADS, TongueNet
from pretrain import NAMES, aucs, calibrate, head_logits, say


def folds_of(labels, count, seed=0):
    """A fold number per row, stratified by the row's combination of labels."""
    rng = np.random.default_rng(seed)
    keys = [tuple(row) for row in labels]
    fold = np.zeros(len(keys), int)
    start = 0
    for key in sorted(set(keys)):
        rows = rng.permutation([i for i, k in enumerate(keys) if k == key])
        fold[rows] = (start + np.arange(len(rows))) % count
        start += len(rows)
    return fold


def subset(data, rows):
    """The same arrays for some rows."""
    return {k: data[k][rows] for k in ("crop", "alpha", "labels")}


def mixed(data, extra, index, rng, share):
    """A batch of photographs with some rendered records appended."""
    crop, alpha, labels = data["crop"][index], data["alpha"][index], data["labels"][index]
    if extra is not None and share > 0:
        pick = np.sort(rng.integers(0, len(extra["labels"]), max(1, int(len(index) * share))))
        crop = np.concatenate([crop, extra["crop"][pick]])
        alpha = np.concatenate([alpha, extra["alpha"][pick]])
        labels = np.concatenate([labels, extra["labels"][pick]])
    return crop, alpha, labels


def mirrored_logits(net, data):
    """Logits averaged over the picture and its mirror image."""
    plain = head_logits(net, data)
    flipped = {"crop": data["crop"][:, :, ::-1].copy(), "alpha": data["alpha"][:, :, ::-1].copy()}
    other = head_logits(net, flipped)
    return {k: (plain[k] + other[k]) / 2 for k in plain}


def fit(net, data, inner, args, name, extra=None):
    """Trains trunk and heads of one fold; `inner` rows (may be none) choose the epoch."""
    generator, rng = torch.Generator().manual_seed(3), np.random.default_rng(3)
    weights = learn.class_weights(data["labels"], NAMES)
    if extra is not None:
        told = learn.class_weights(extra["labels"], NAMES)
        weights = {k: torch.where(w > 0, w, told[k]) for k, w in weights.items()}

    def step(index):
        crop, alpha, labels = mixed(data, extra, index, rng, args.share)
        x = augment.batch(crop, alpha, generator, args.strength)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net.classify(x)
        return learn.head_loss(logits, torch.as_tensor(labels), NAMES, weights, 0.1)

    def score():
        if inner is None:
            return float(loop.epoch), ""
        value = {k: v for k, v in aucs(mirrored_logits(net, inner), inner["labels"]).items() if v == v}
        return float(np.mean(list(value.values()))), " ".join(f"{k} {v:.3f}" for k, v in value.items())

    loop = learn.Loop(net, "heads", args.work, name, args.epochs, args.lr, args.batch, args.patience)
    return loop.run(len(data["labels"]), step, score, log=say)


def split_inner(rows, fold, share):
    """Takes every n-th row aside, by a seed that depends on the fold."""
    if share <= 0:
        return rows, None
    rng = np.random.default_rng(100 + fold)
    aside = rng.permutation(len(rows)) < share * len(rows)
    return rows[~aside], rows[aside]


def start_net(args):
    """The network to start from: an exported model, or random weights."""
    if args.init is None:
        torch.manual_seed(0)
        return TongueNet().to(memory_format=torch.channels_last)
    return export.load(args.init)[0].to(memory_format=torch.channels_last)


def cross_validate(data, args, extra):
    """Out-of-fold logits of every row."""
    fold = folds_of(data["labels"], args.folds)
    out = {k: np.zeros((len(fold), len(c)), np.float32) for k, c in HEADS.items()}
    for f in range(args.folds):
        done = args.work / f"fold-{f}.npz"
        rows = np.where(fold == f)[0]
        if not done.exists():
            train, inner = split_inner(np.where(fold != f)[0], f, args.inner)
            watched = None if inner is None else subset(data, inner)
            net = fit(start_net(args), subset(data, train), watched, args, f"fold{f}", extra)
            np.savez(done, **mirrored_logits(net, subset(data, rows)))
        got = np.load(done)
        for k in out:
            out[k][rows] = got[k]
        value = aucs({k: v[rows] for k, v in out.items()}, data["labels"][rows])
        say(f"fold {f}: " + " ".join(f"{k} {v:.3f}" for k, v in value.items() if v == v))
    return out


def export_final(data, args, extra):
    """Trains on all photographs and writes the model files."""
    rows, inner = split_inner(np.arange(len(data["labels"])), 99, max(args.inner, 0.1))
    net = fit(start_net(args), subset(data, rows), subset(data, inner), args, "final", extra)
    heads = calibrate(net, subset(data, inner)) if extra is None else calibrate(net, extra)
    for k, name in enumerate(NAMES):
        if (data["labels"][:, k] >= 0).any() and name not in QUALITY_HEADS:
            heads[name]["provenance"] = "photographs"
    first = [photographs.read(photographs.find(args.images, name)) for name in data["ids"][:2]]
    export.write(net, args.export, export.description(args.version, heads=heads), first)


def parse():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("images", "labels", "work"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    for name in ("masks", "init", "rendered", "export"):
        parser.add_argument(f"--{name}", type=Path)
    for name, kind, default in (
        ("folds", int, 5), ("epochs", int, 20), ("batch", int, 32), ("patience", int, 6), ("threads", int, 1),
        ("lr", float, 1e-3), ("inner", float, 0.1), ("share", float, 0.5), ("strength", float, 0.7), ("version", str, "1"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default)
    return parser.parse_args()


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    data = photographs.prepare(
        args.images, args.labels, args.work / "crops.npz", start_net(args).eval(), args.masks
    )
    say(f"{len(data['labels'])} pictures")
    extra = rendered.load(args.rendered) if args.rendered else None
    logits = cross_validate(data, args, extra)
    figures = report.write(args.work, data, logits)
    say(json.dumps(figures, indent=1))
    if args.export:
        export_final(data, args, extra)


if __name__ == "__main__":
    main()
