"""Trains on a folder of photographs with a label table: cross-validates, reports, exports.

    python train.py --images DIR --labels labels.tsv --init models/tongue --work DIR \
        [--masks DIR] [--rendered DIR] [--folds 5] [--epochs 20] [--inner 0.1] [--export DIR]

Interrupted runs go on from the last finished epoch of the fold they were in. With
`--inner` a share of each training part chooses the epoch (early stopping); with 0
every fold runs all epochs and its last state counts. `--rendered` mixes rendered
pictures into every batch, so that classes that nobody labelled are still taught.
`--copies N` trains only the last stage of the trunk, the heads and the network over the
rim, the former on stored maps of N augmented copies of every picture: several times
faster, somewhat weaker. `--part rim` trains the network over the rim and its heads alone,
on the pictures that these are labelled for: minutes.
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
from model import HEADS, QUALITY_HEADS, RIM_HEADS, TongueNet
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
    return rendered.rows_of(data, rows)


class Pictures:
    """Training of the whole trunk: augmented pictures, maybe with rendered ones among them."""

    def __init__(self, data, args, extra=None):
        self.data, self.extra, self.args = data, extra, args
        self.generator, self.rng = torch.Generator().manual_seed(3), np.random.default_rng(3)
        self.see = ("rim",) if args.part == "rim" else ("crop", "rim")

    def learn(self, net, rows):
        """Logits and labels of one augmented batch."""
        parts = [subset(self.data, rows)]
        if self.extra is not None and self.args.share > 0:
            count = max(1, int(len(rows) * self.args.share))
            pick = np.sort(self.rng.integers(0, len(self.extra["labels"]), count))
            parts.append(subset(self.extra, pick))
        both = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
        x = augment.batch(both, self.generator, self.args.strength, self.see)
        with torch.autocast("cpu", torch.bfloat16):
            return net.classify(*x), torch.as_tensor(both["labels"])

    def read(self, net, rows):
        """Logits averaged over each picture and its mirror image."""
        part = subset(self.data, rows)
        return average(head_logits(net, part, see=self.see), head_logits(net, mirror(part), see=self.see))


class Copies:
    """Training of the last stage and the heads on stored maps of augmented copies.

    About a fifth of the cost per step; the first three stages stay as they were.
    Copy 0 is the plain picture, copy 1 its mirror image, the others are augmented.
    """

    def __init__(self, data, args, net, path):
        self.data, self.args, self.rng = data, args, np.random.default_rng(3)
        self.generator = torch.Generator().manual_seed(4)
        if not path.exists():
            generator = torch.Generator().manual_seed(3)
            maps = [self.maps(net, data, None), self.maps(net, mirror(data), None)]
            for copy in range(args.copies):
                maps.append(self.maps(net, data, generator))
                say(f"copy {copy + 1}/{args.copies}")
            np.save(path, np.stack(maps))
        self.stored = np.load(path, mmap_mode="r")

    def maps(self, net, data, generator, batch=64):
        """The third stage's maps of all pictures, f16."""
        out = []
        for b in range(0, len(data["crop"]), batch):
            part = rendered.rows_of(data, slice(b, b + batch))
            x, _ = augment.batch(part, generator, self.args.strength, ("crop",))
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                out.append(net.early(x).half().numpy())
        return np.concatenate(out)

    def learn(self, net, rows):
        """Logits and labels of one batch of random copies."""
        copy = self.rng.integers(0, len(self.stored), len(rows))
        x = torch.from_numpy(self.stored[copy, rows]).float().contiguous(memory_format=torch.channels_last)
        _, strip = augment.batch(subset(self.data, rows), self.generator, self.args.strength, ("rim",))
        with torch.autocast("cpu", torch.bfloat16):
            return net.late(x) | net.edge(strip), torch.as_tensor(self.data["labels"][rows])

    def read(self, net, rows):
        """Logits averaged over each picture and its mirror image."""
        out = []
        for copy in (0, 1):
            with torch.no_grad():
                got = net.late(torch.from_numpy(self.stored[copy, rows]).float())
            got = {k: v.numpy() for k, v in got.items()}
            part = subset(self.data, rows)
            out.append(got | head_logits(net, mirror(part) if copy else part, see=("rim",)))
        return average(*out)


def mirror(data):
    """The same records, mirrored."""
    return {**data, **{k: data[k][:, :, ::-1].copy() for k in ("crop", "alpha", "rim")}}


def average(one, other):
    """The mean of two sets of logits."""
    return {k: (one[k] + other[k]) / 2 for k in one}


def weights_of(labels, extra):
    """Class weights of the labels; for classes nobody labelled those of the rendered set."""
    weights = learn.class_weights(labels, NAMES)
    if extra is None:
        return weights
    told = learn.class_weights(extra["labels"], NAMES)
    return {k: torch.where(w > 0, w, told[k]) for k, w in weights.items()}


def fit(net, source, rows, inner, args, name):
    """Trains on `rows` of a source; `inner` rows (may be None) choose the epoch."""
    labels = source.data["labels"]
    weights = weights_of(labels[rows], getattr(source, "extra", None))

    def step(index):
        logits, told = source.learn(net, rows[index])
        return learn.head_loss(logits, told, NAMES, weights, 0.1)

    def score():
        if inner is None:
            return float(loop.epoch), ""
        value = {k: v for k, v in aucs(source.read(net, inner), labels[inner]).items() if v == v}
        return float(np.mean(list(value.values()))), " ".join(f"{k} {v:.3f}" for k, v in value.items())

    loop = learn.Loop(net, args.part, args.work, name, args.epochs, args.lr, args.batch, args.patience)
    return loop.run(len(rows), step, score, log=say)


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


def cross_validate(source, args):
    """Out-of-fold logits of every row."""
    labels = source.data["labels"]
    fold = folds_of(labels, args.folds)
    shown = RIM_HEADS if args.part == "rim" else HEADS
    out = {k: np.zeros((len(fold), len(HEADS[k])), np.float32) for k in shown}
    for f in range(args.folds):
        done = args.work / f"fold-{f}.npz"
        rows = np.where(fold == f)[0]
        if not done.exists():
            train, inner = split_inner(np.where(fold != f)[0], f, args.inner)
            net = fit(start_net(args), source, train, inner, args, f"fold{f}")
            np.savez(done, **source.read(net, rows))
        got = np.load(done)
        for k in out:
            out[k][rows] = got[k]
        value = aucs({k: v[rows] for k, v in out.items()}, labels[rows])
        say(f"fold {f}: " + " ".join(f"{k} {v:.3f}" for k, v in value.items() if v == v))
    return out


def export_final(source, args):
    """Trains on all photographs and writes the model files."""
    data, extra = source.data, getattr(source, "extra", None)
    rows, inner = split_inner(np.arange(len(data["labels"])), 99, max(args.inner, 0.1))
    net = fit(start_net(args), source, rows, inner, args, "final")
    heads = calibrate(net, subset(data, inner) if extra is None else extra)
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
    parser.add_argument("--part", choices=("reading", "rim"), default="reading")
    for name in ("masks", "init", "rendered", "export"):
        parser.add_argument(f"--{name}", type=Path)
    for name, kind, default in (
        ("folds", int, 5), ("epochs", int, 20), ("batch", int, 32), ("patience", int, 6), ("threads", int, 1),
        ("lr", float, 1e-3), ("copies", int, 0), ("inner", float, 0.1), ("share", float, 0.5), ("strength", float, 0.7), ("version", str, "1"),
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
    if args.part == "rim":
        told = (data["labels"][:, [NAMES.index(name) for name in RIM_HEADS]] >= 0).any(1)
        data = subset(data, told) | {"ids": [name for name, keep in zip(data["ids"], told) if keep]}
    say(f"{len(data['labels'])} pictures")
    if args.copies:
        source = Copies(data, args, start_net(args).eval(), args.work / "maps.npy")
    else:
        source = Pictures(data, args, rendered.load(args.rendered) if args.rendered else None)
    figures = report.write(args.work, data, cross_validate(source, args))
    say(json.dumps(figures, indent=1))
    if args.export:
        export_final(source, args)


if __name__ == "__main__":
    main()
