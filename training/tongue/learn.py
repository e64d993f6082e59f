"""The training loop: progress, checkpoints that resume, early stopping, class weights."""

import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from model import HEADS, RIM_HEADS


def class_weights(labels, names):
    """Per head inverse-frequency weights (mean 1) over the labels that are told."""
    out = {}
    for k, name in enumerate(names):
        counts = np.array([(labels[:, k] == c).sum() for c in range(len(HEADS[name]))], float)
        weight = np.where(counts > 0, counts.sum() / np.maximum(counts, 1), 0)
        seen = weight[counts > 0]
        out[name] = torch.tensor(weight / (seen.mean() if len(seen) else 1), dtype=torch.float32)
    return out


def head_loss(logits, labels, names, weights, smoothing=0.05):
    """Mean over heads of the weighted cross-entropy of the samples that are labelled."""
    losses = []
    for k, name in enumerate(names):
        told = labels[:, k] >= 0
        if name in logits and told.any() and weights[name].any():
            target = labels[told, k].long()
            losses.append(
                F.cross_entropy(logits[name][told].float(), target, weights[name], label_smoothing=smoothing)
            )
    return torch.stack(losses).mean() if losses else None


class Loop:
    """Runs `step(indices)` over shuffled data and keeps the best state by `score()`.

    `part` says which tensors of the network are trained and kept: "segment", "rim" (with its
    heads), "heads" (trunk and all other heads), or "reading" (all but the segmenter).
    """

    def __init__(self, net, part, folder, name, epochs, lr, batch, patience=4):
        self.net, self.name, self.epochs, self.batch = net, name, epochs, batch
        self.part = part
        params = [p for n, p in net.named_parameters() if self.mine(n)]
        self.path = Path(folder) / f"{name}.ckpt"
        self.optimiser = torch.optim.AdamW(params, lr=lr, weight_decay=0.02)
        self.lr, self.patience = lr, patience
        self.epoch, self.best, self.best_epoch, self.best_state = 0, -math.inf, -1, None

    def mine(self, name):
        """Whether a tensor belongs to the part that is trained."""
        if name.startswith("segment."):
            return self.part == "segment"
        rim = name.startswith(("rim.", *(f"heads.{head}." for head in RIM_HEADS)))
        return self.part in ("reading", "rim" if rim else "heads")

    def state(self):
        """A copy of the tensors of this part."""
        return {k: v.clone() for k, v in self.net.state_dict().items() if self.mine(k)}

    def resume(self):
        """Continues from the checkpoint where there is one."""
        if self.path.exists():
            saved = torch.load(self.path, weights_only=False)
            self.net.load_state_dict(saved["net"], strict=False)
            self.optimiser.load_state_dict(saved["optimiser"])
            self.epoch, self.best = saved["epoch"], saved["best"]
            self.best_epoch, self.best_state = saved["best_epoch"], saved["best_state"]

    def save(self):
        """Writes the checkpoint in one rename."""
        draft = self.path.with_suffix(".tmp")
        state = {"net": self.state(), "optimiser": self.optimiser.state_dict()}
        state |= {k: getattr(self, k) for k in ("epoch", "best", "best_epoch", "best_state")}
        torch.save(state, draft)
        draft.rename(self.path)

    def rate(self, progress):
        """One warm-up, then cosine decay to a hundredth."""
        warm = min(1.0, progress * self.epochs / 0.5) if self.epochs > 2 else min(1.0, progress * 20)
        return self.lr * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))

    def run(self, count, step, score, log=print):
        """Trains; `step` returns a loss tensor or None, `score` is larger when better."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.resume()
        batches = max(1, count // self.batch)
        while self.epoch < self.epochs and self.epoch - self.best_epoch <= self.patience:
            order = np.random.default_rng(self.epoch).permutation(count)
            self.net.train()
            started, total = time.time(), 0.0
            for b in range(batches):
                for group in self.optimiser.param_groups:
                    group["lr"] = self.rate((self.epoch + b / batches) / self.epochs)
                loss = step(np.sort(order[b * self.batch : (b + 1) * self.batch]))
                if loss is None:
                    continue
                self.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
                self.optimiser.step()
                total += float(loss.detach())
                if b % 25 == 24:
                    log(f"{self.name} {self.epoch} {b + 1}/{batches} loss {total / (b + 1):.4f}")
            self.net.eval()
            value, text = score()
            self.epoch += 1
            if value > self.best:
                self.best, self.best_epoch = value, self.epoch
                self.best_state = self.state()
            self.save()
            log(f"{self.name} epoch {self.epoch}/{self.epochs} {time.time() - started:.0f} s loss {total / batches:.4f} {text}")
        self.net.load_state_dict(self.best_state, strict=False)
        self.net.eval()
        return self.net
