"""Figures: AUC, confusion, coverage at a precision, calibration."""

import numpy as np
import torch
from scipy.stats import rankdata


def softmax(logits, temperature=1.0):
    """Row-wise softmax of an array."""
    return torch.softmax(torch.as_tensor(logits, dtype=torch.float32) / temperature, 1).numpy()


def auc(score, positive):
    """Area under the ROC curve: the chance that a positive outscores a negative, ties half."""
    n = int(positive.sum())
    rank_sum = rankdata(score)[positive].sum()
    return (rank_sum - n * (n + 1) / 2) / (n * (len(score) - n))


def macro_auc(prob, truth):
    """One-versus-rest AUC averaged over the classes that occur.

    With classes that never occur in `truth` the probabilities are first
    renormalised over those that do, so a two-class labelling of a three-class
    head is judged on the decision it labels.
    """
    present = [c for c in range(prob.shape[1]) if (truth == c).any()]
    if len(present) < 2:
        return float("nan")
    p = prob[:, present] / prob[:, present].sum(1, keepdims=True).clip(1e-9)
    return float(np.mean([auc(p[:, k], truth == c) for k, c in enumerate(present)]))


def confusion(guess, truth, classes):
    """Rows: truth, columns: answer."""
    out = np.zeros((classes, classes), int)
    np.add.at(out, (truth, guess), 1)
    return out


def coverage_at(prob, truth, precision=0.9):
    """The largest share of answers (most certain first) whose precision reaches the goal."""
    order = np.argsort(-prob.max(1))
    right = (prob.argmax(1) == truth)[order]
    running = np.cumsum(right) / np.arange(1, len(right) + 1)
    good = np.where(running >= precision)[0]
    return (good[-1] + 1) / len(right) if len(good) else 0.0


def fit_temperature(logits, truth):
    """The temperature with the least cross-entropy, by a grid."""
    grid = np.exp(np.linspace(np.log(0.5), np.log(4), 60))
    nll = [-np.log(softmax(logits, t)[np.arange(len(truth)), truth].clip(1e-9)).mean() for t in grid]
    return float(grid[int(np.argmin(nll))])


def abstention(prob, truth, precision=0.8, floor=0.45):
    """Per class the lowest probability from which its answers reach the precision."""
    out = []
    for c in range(prob.shape[1]):
        chosen = prob.argmax(1) == c
        limit = max(floor, 1.0 / prob.shape[1])
        for t in np.arange(limit, 0.96, 0.01):
            kept = chosen & (prob[:, c] >= t)
            if kept.sum() >= 10 and (truth[kept] == c).mean() >= precision:
                break
        out.append(round(float(t), 2))
    return out
