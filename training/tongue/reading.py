"""Reads one picture as the service does: verdict first, then features. See FORMAT.md."""

import numpy as np
import torch

import measure
import pipeline as pipe


def early_verdict(rgb, quality, boxed, part, presence, fraction):
    """Verdicts before the trunk runs, or None."""
    if min(rgb.shape[:2]) < quality["min_picture_px"]:
        return "too_small"
    if float((boxed[: part[1], : part[0]].astype(np.float32) @ pipe.LUMA).mean()) < quality["min_picture_luma"]:
        return "too_dark"
    if presence < quality["min_presence"] or fraction < quality["min_mask_fraction"]:
        return "not_a_tongue"
    return None


def light_verdict(mean, quality):
    """Verdicts from the mean colour of the tongue, or None."""
    luma = float(mean @ pipe.LUMA)
    if luma < quality["min_tongue_luma"]:
        return "too_dark"
    if luma > quality["max_tongue_luma"]:
        return "too_bright"
    red, green = mean[1] / max(mean[0], 1e-6), mean[2] / max(mean[1], 1e-6)
    low, high = quality["green_red"], quality["blue_green"]
    if not (low[0] <= red <= low[1] and high[0] <= green <= high[1]):
        return "colour_cast"
    return None


def head_verdict(prob, quality):
    """Verdicts of the quality heads, or None."""
    for head, verdict in (("tongue", "not_a_tongue"), ("sharp", "blurred"), ("whole", "covered")):
        if prob[head][1] < quality[f"min_{head}"]:
            return verdict
    return None


def read(net, config, rgb):
    """Returns (verdict or "good", probabilities per head or None)."""
    quality = config["quality"]
    prob, presence, scale, part, boxed = pipe.segment(net, rgb)
    fraction, component = pipe.locate(prob, scale, part)
    verdict = early_verdict(rgb, quality, boxed, part, presence, fraction)
    if verdict:
        return verdict, None
    ys, xs = np.where(component)
    if max(xs.max() - xs.min(), ys.max() - ys.min()) + 1 < quality["min_tongue_px"] * scale:
        return "too_small", None
    x0, y0, side = pipe.square_of(component, scale)
    crop = pipe.crop(rgb, x0, y0, side)
    alpha = pipe.alpha_of(prob, scale, x0, y0, side, (rgb.shape[1], rgb.shape[0]))
    mean = pipe.mean_colour(crop, alpha)
    verdict = light_verdict(mean, quality)
    if verdict:
        return verdict, None
    gain = pipe.gain_of(mean)
    x = pipe.normalise(pipe.compose(crop, alpha, gain))[None]
    strip = pipe.normalise(pipe.lit(pipe.rim(rgb, prob, component, scale, part, (x0, y0, side)), gain))[None]
    with torch.no_grad():
        logits = net.classify(x, strip)
    heat = {h["name"]: h["temperature"] for h in config["heads"]}
    out = {k: measure.softmax(v.float(), heat[k])[0] for k, v in logits.items()}
    return head_verdict(out, quality) or "good", out


def answers(config, prob):
    """Class index per feature head, None where it abstains."""
    out = {}
    for head in config["heads"]:
        if head["role"] != "feature":
            continue
        p = prob[head["name"]]
        best = int(p.argmax())
        sure = head["enabled"] and p[best] >= head["abstain"][best]
        out[head["name"]] = best if sure else None
    return out
