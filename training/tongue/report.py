"""The report of a cross-validation: AUC, confusion matrices, example pictures."""

import json

import numpy as np
from PIL import Image, ImageDraw

import measure
from model import HEADS


def figures_of(logits, labels):
    """Per labelled head: AUC, confusion matrix over the classes that occur, accuracy."""
    out = {}
    for k, (name, classes) in enumerate(HEADS.items()):
        told = labels[:, k] >= 0
        present = sorted(set(labels[told, k].tolist()))
        if len(present) < 2 or name not in logits:
            continue
        truth = labels[told, k].astype(int)
        prob = measure.softmax(logits[name][told][:, present])
        guess = np.array(present)[prob.argmax(1)]
        matrix = measure.confusion(guess, truth, len(classes))[np.ix_(present, present)]
        out[name] = {
            "labelled": int(told.sum()),
            "macro_auc": round(measure.macro_auc(measure.softmax(logits[name][told]), truth), 3),
            "accuracy": round(float((guess == truth).mean()), 3),
            "classes": [classes[c] for c in present],
            "confusion": matrix.tolist(),
        }
    return out


def examples(data, logits, name, path, count=6, side=112):
    """A sheet of the surest right answers (upper row) and the surest wrong ones (lower row)."""
    k = list(HEADS).index(name)
    rows = np.where(data["labels"][:, k] >= 0)[0]
    truth = data["labels"][rows, k].astype(int)
    present = sorted(set(truth.tolist()))
    prob = measure.softmax(logits[name][rows][:, present])
    guess = np.array(present)[prob.argmax(1)]
    order = np.argsort(-prob.max(1))
    sheet = Image.new("RGB", (count * side, 2 * (side + 14)), "white")
    pen = ImageDraw.Draw(sheet)
    for line, chosen in enumerate((order[guess[order] == truth[order]], order[guess[order] != truth[order]])):
        for column, at in enumerate(chosen[:count]):
            x, y = column * side, line * (side + 14)
            sheet.paste(Image.fromarray(data["crop"][rows[at]]).resize((side, side)), (x, y + 14))
            pen.text((x + 2, y), f"{HEADS[name][truth[at]]} > {HEADS[name][guess[at]]}", fill="black")
    sheet.save(path)


def write(folder, data, logits):
    """Writes report.md, report.json and one sheet of examples per head; returns the figures."""
    figures = figures_of(logits, data["labels"])
    lines = ["# Cross-validation", ""]
    for name, f in figures.items():
        lines += [f"## {name}", "", f"{f['labelled']} labelled, macro AUC {f['macro_auc']}, accuracy {f['accuracy']}.", ""]
        lines += ["| truth \\ answer | " + " | ".join(f["classes"]) + " |", "|---" * (len(f["classes"]) + 1) + "|"]
        lines += [f"| {c} | " + " | ".join(map(str, row)) + " |" for c, row in zip(f["classes"], f["confusion"])]
        lines += ["", f"![surest right and wrong answers]({name}.png)", ""]
        examples(data, logits, name, folder / f"{name}.png")
    (folder / "report.md").write_text("\n".join(lines))
    (folder / "report.json").write_text(json.dumps(figures, indent=1) + "\n")
    return figures
