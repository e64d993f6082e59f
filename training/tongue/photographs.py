"""A folder of photographs with a label table, cut to the trunk's inputs.

The table is tab separated: a picture id, then one column per head; `NA` is "not
labelled". Pictures lie as ID.jpg (or .png) in one folder, masks (white = tongue),
where there are any, in another; without masks the segmenter cuts.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import pipeline as pipe
import rendered
from model import HEADS

#: Column of the table -> head, for tables that do not use the heads' names.
COLUMNS = {
    "labels_zhi": "body_colour",
    "labels_tai": "coating_colour",
    "labels_fissure": "fissures",
    "labels_tooth_mk": "tooth_marks",
}


def read_table(path):
    """Returns the ids and an array of class indices (rows x heads, -1 = not labelled)."""
    names, ids, rows = list(HEADS), [], []
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file, delimiter="\t")
        id_column = reader.fieldnames[0]
        for number, row in enumerate(reader, 2):
            label = np.full(len(names), -1, np.int8)
            for column, text in row.items():
                name = COLUMNS.get(column, column)
                if name not in HEADS or text in ("NA", ""):
                    continue
                if text not in HEADS[name]:
                    raise SystemExit(f"line {number}: {column} is {text!r}, not one of {HEADS[name]}")
                label[names.index(name)] = HEADS[name].index(text)
            ids.append(row[id_column])
            rows.append(label)
    return ids, np.stack(rows)


def find(folder, name):
    """The picture of this id."""
    for suffix in (".jpg", ".jpeg", ".png"):
        path = Path(folder) / f"{name}{suffix}"
        if path.exists():
            return path
    raise SystemExit(f"no picture {name} in {folder}")


def read(path):
    """A picture as upright u8 RGB."""
    return np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))


def record(rgb, prob, scale, part):
    """Crop, alpha (u8) and rim of a picture; the whole picture where nothing was found."""
    got = rendered.cut(rgb, prob, scale, part)
    if got is None:
        full = np.zeros_like(prob)
        full[: part[1], : part[0]] = 1
        got = rendered.cut(rgb, full, scale, part)
    return got[0], (got[1] * 255 + 0.5).astype(np.uint8), got[2]


def prepare(images, labels, cache, net=None, masks=None):
    """Cuts all pictures, once; returns the arrays of `rendered.load` plus ids and presence."""
    ids, table = read_table(labels)
    cache = Path(cache)
    if cache.exists():
        data = dict(np.load(cache))
        if len(data["crop"]) == len(ids):
            return {**data, "labels": table, "ids": ids}
    crops, alphas, rims, boxes, probs, presence = [], [], [], [], [], []
    for name in ids:
        rgb = read(find(images, name))
        if masks is None:
            prob, there, scale, part, boxed = pipe.segment(net, rgb)
        else:
            boxed, scale, part = pipe.letterbox(rgb)
            mask = np.asarray(Image.open(find(masks, name)).convert("L")) > 127
            prob, there = rendered.boxed_mask(mask).astype(np.float32), 1.0
        crop, alpha, rim = record(rgb, prob, scale, part)
        crops.append(crop), alphas.append(alpha), rims.append(rim), boxes.append(boxed)
        probs.append((prob * 255).astype(np.uint8)), presence.append(there)
    data = {"crop": np.stack(crops), "alpha": np.stack(alphas), "rim": np.stack(rims), "letterbox": np.stack(boxes)}
    data |= {"prob": np.stack(probs), "presence": np.array(presence)}
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, **data)
    return {**data, "labels": table, "ids": ids}
