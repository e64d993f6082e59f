"""Which metrics there are: those that the sources register, those that rules record, those of others."""

import pathlib
import re

import yaml

from checks.model import DEPLOY, ROOT

REGISTERED = re.compile(
    r"(?:register|register_with_unit|encode_descriptor|counter|gauge|histogram|family)\(\s*\"([a-z][a-z0-9_]+)\""
    r"(?:\s*,\s*(?:\"(?:[^\"\\]|\\.)*\"|[a-z_]+)\s*,\s*Unit::(\w+))?"
)
# What Prometheus makes of one metric: counters get _total, histograms three series.
SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")
KEYWORDS = {"and", "or", "unless", "on", "by", "without", "ignoring", "group_left", "group_right", "offset", "bool", "inf", "nan"}


def registered(root: pathlib.Path = ROOT) -> set[str]:
    """Names of the metrics in the Rust sources, as they are exported."""
    names = set()
    for path in [*root.glob("crates/*/src/**/*.rs"), *root.glob("services/*/src/**/*.rs"), *root.glob("cli/src/**/*.rs")]:
        for name, unit in REGISTERED.findall(path.read_text()):
            base = f"wenzhen_{name}" + (f"_{unit.lower()}" if unit else "")
            names |= {base + suffix for suffix in SUFFIXES}
    return names


def recorded(rules: dict) -> set[str]:
    return {rule["record"] for group in rules["groups"] for rule in group["rules"] if "record" in rule}


def others() -> set[str]:
    return set(yaml.safe_load((DEPLOY / "metrics.yaml").read_text()))


def used(expression: str) -> set[str]:
    """Names of the metrics in a PromQL expression."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    text = re.sub(r"\{[^{}]*\}|\[[^\[\]]*\]", " ", text)
    text = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", " ", text)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\w)(?!\s*\()", text)
    numbers = re.compile(r"(?:\d+(?:ms|[smhdwy]))+|e\d+")
    return {word for word in words if word not in KEYWORDS and not numbers.fullmatch(word) and len(word) > 1}
