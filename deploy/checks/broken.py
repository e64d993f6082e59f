"""The checks checked: each mistake of tests/broken.yaml, made in a copy, must be found."""

import yaml

from checks import network, pods, references, schema
from checks.model import DEPLOY, Finding, Rendered, Tree


def all_checks(rendered: Rendered) -> None:
    for check in (schema, references, pods, network):
        check.check(rendered)


def check() -> tuple[int, list[Finding]]:
    """How many mistakes were made, and which of them were not found."""
    fixtures = yaml.safe_load((DEPLOY / "tests" / "broken.yaml").read_text())
    missed = []
    for fixture in fixtures:
        with Tree() as tree:
            path = tree.deploy / fixture["file"]
            text = path.read_text()
            if fixture["replace"] not in text:
                missed.append(Finding("tests/broken.yaml", "fixture", f"{fixture['mistake']}: nothing to replace in {fixture['file']}"))
                continue
            path.write_text(text.replace(fixture["replace"], fixture["by"], 1))
            rendered = tree.render(fixture["render"])
            if rendered.docs:
                all_checks(rendered)
            codes = {finding.code for finding in rendered.findings}
            if fixture["finds"] not in codes:
                said = ", ".join(sorted(codes)) or "nothing"
                missed.append(Finding("tests/broken.yaml", "missed", f"{fixture['mistake']}: {fixture['finds']} is not found, but {said}"))
    return len(fixtures), missed
