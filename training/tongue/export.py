"""Writes tongue.safetensors, model.json and golden.safetensors."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

import pipeline as pipe
from model import CROP_SIDE, HEADS, QUALITY_HEADS, RIM_COLUMNS, RIM_HEADS, RIM_ROWS, RIM_SIDE, SEGMENT_SIDE, TongueNet

#: Light: what 99 % of the rendered tongues have, and what the gain can still lift.
QUALITY = {
    "min_picture_px": 64,
    "min_picture_luma": 20.0,
    "min_presence": 0.5,
    "min_mask_fraction": 0.02,
    "min_tongue_px": 80,
    "min_tongue_luma": 70.0,
    "max_tongue_luma": 240.0,
    "green_red": [0.45, 0.93],
    "blue_green": [0.79, 1.21],
    "min_tongue": 0.5,
    "min_sharp": 0.3,
    "min_whole": 0.3,
}


def head_entry(name, classes, given):
    """One entry of `heads`, with what calibration found where it ran."""
    entry = {
        "name": name,
        "role": "quality" if name in QUALITY_HEADS else "feature",
        "classes": classes,
        "provenance": "rendered",
        "temperature": 1.0,
        "abstain": [0.5] * len(classes),
        "enabled": True,
    }
    entry.update(given.get(name, {}))
    return entry


def description(version, quality=None, heads=None, extra=None):
    """The content of model.json."""
    return {
        "format": "wenzhen-tongue/1",
        "version": version,
        "weights": "tongue.safetensors",
        "fill": pipe.FILL,
        "mean": [round(float(v), 4) for v in pipe.MEAN],
        "std": [round(float(v), 4) for v in pipe.STD],
        "segment": {"side": SEGMENT_SIDE, "threshold": pipe.THRESHOLD},
        "crop": {"side": CROP_SIDE, "margin": pipe.MARGIN, "alpha_dilate": pipe.ALPHA_DILATE},
        "rim": {
            "side": RIM_SIDE,
            "columns": RIM_COLUMNS,
            "rows": RIM_ROWS,
            "angles": [pipe.RIM_FROM, pipe.RIM_TO],
            "smooth": pipe.RIM_SMOOTH,
            "reach": pipe.RIM_REACH,
            "heads": list(RIM_HEADS),
        },
        "colour": {
            "target_luma": pipe.TARGET_LUMA,
            "min_gain": pipe.MIN_GAIN,
            "max_gain": pipe.MAX_GAIN,
        },
        "quality": {**QUALITY, **(quality or {})},
        "heads": [head_entry(name, classes, heads or {}) for name, classes in HEADS.items()],
        **(extra or {}),
    }


def stored(net):
    """The tensors as they are stored: batch norm f32, all else f16."""
    out = {}
    for name, value in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        norm = ".bn" in name or name.startswith("bn1") or "downsample.1" in name
        out[name] = value.float().contiguous() if norm else value.half().contiguous()
    return out


def load(folder):
    """The network of a folder written by `write`, in f32 for inference, and its model.json."""
    folder = Path(folder)
    config = json.loads((folder / "model.json").read_text())
    tensors = load_file(folder / config["weights"])
    width = tensors["conv1.weight"].shape[0]
    net = TongueNet(width, {h["name"]: h["classes"] for h in config["heads"]})
    net.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=False)
    return net.eval(), config


def golden(net, pictures):
    """The parity cases for two pictures (u8 RGB): a tongue and no tongue."""
    rows = []
    for rgb in pictures:
        prob, _, scale, part, boxed = pipe.segment(net, rgb)
        with torch.no_grad():
            logits, presence = net.segment(pipe.normalise(boxed)[None])
        component = pipe.locate(prob, scale, part)[1]
        if component is None:
            component = np.ones_like(prob, bool)
        x0, y0, side = pipe.square_of(component, scale)
        square = pipe.crop(rgb, x0, y0, side)
        alpha = pipe.alpha_of(prob, scale, x0, y0, side, (rgb.shape[1], rgb.shape[0]))
        alpha = alpha.astype(np.float16).astype(np.float32)
        rim = pipe.rim(rgb, prob, component, scale, part, (x0, y0, side))
        gain = pipe.gain_of(pipe.mean_colour(square, alpha))
        with torch.no_grad():
            x, strip = pipe.normalise(pipe.compose(square, alpha, gain)), pipe.normalise(pipe.lit(rim, gain))
            heads = net.classify(x[None], strip[None])
        rows.append(
            {
                "letterbox": torch.from_numpy(boxed.copy()),
                "mask_logits": logits[0].half(),
                "presence_logit": presence[0],
                "crop": torch.from_numpy(square.copy()),
                "alpha": torch.from_numpy(alpha).half(),
                "gain": torch.tensor(gain),
                "rim": torch.from_numpy(rim.copy()),
                **{f"logits.{k}": v[0] for k, v in heads.items()},
            }
        )
    return {k: torch.stack([row[k] for row in rows]).contiguous() for k in rows[0]}


def write(net, folder, config, pictures):
    """Writes the three files into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(stored(net.eval()), folder / "tongue.safetensors")
    (folder / "model.json").write_text(json.dumps(config, indent=2) + "\n")
    reloaded, _ = load(folder)
    save_file(golden(reloaded, pictures), folder / "golden.safetensors")
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)
