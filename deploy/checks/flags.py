"""Every WENZHEN_ variable that is set is a flag of the program that gets it."""

import pathlib
import re
import subprocess

import yaml

from checks.model import DEPLOY, ROOT, Finding, Rendered

VARIABLE = re.compile(r"\bWENZHEN_[A-Z0-9_]+\b")
SERVICES = ["orchestrator", "kg", "guidance", "expert", "empathy", "vision"]
FLAG = re.compile(r"^\s+(?:-\w, )?--([a-z0-9-]+)", re.MULTILINE)


class Programs:
    """What the binaries of a folder say about themselves with --help."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._help: dict[str, str | None] = {}

    def help(self, app: str) -> str | None:
        """The text of --help of wenzhen-APP; None when there is no such program."""
        if app not in self._help:
            program = self._folder / f"wenzhen-{app}"
            self._help[app] = (
                subprocess.run([program, "--help"], capture_output=True, text=True, timeout=20, check=True).stdout
                if program.is_file()
                else None
            )
        return self._help[app]

    def variables(self, app: str) -> set[str] | None:
        text = self.help(app)
        return None if text is None else set(VARIABLE.findall(text))

    def flags(self, app: str) -> set[str] | None:
        text = self.help(app)
        return None if text is None else set(FLAG.findall(text))


def check(rendered: Rendered, programs: Programs) -> None:
    for workload in rendered.services():
        known = programs.variables(workload.app)
        if known is None:
            rendered.find("program", workload.doc, f"there is no wenzhen-{workload.app} in the folder of binaries")
            continue
        # The settings that all services share may hold what only some of them know.
        shared = {
            name
            for source in workload.container.get("envFrom", [])
            if source["configMapRef"]["name"].startswith("settings-")
            for name in (rendered.named("ConfigMap", source["configMapRef"]["name"]) or {}).get("data", {})
        }
        for name in sorted(set(workload.env()) - known):
            others = shared & {name} and any(
                name in (programs.variables(other.app) or set()) for other in rendered.services()
            )
            if name.startswith("WENZHEN_") and not others:
                rendered.find("flag", workload.doc, f"wenzhen-{workload.app} knows no {name}")


def check_compose(programs: Programs) -> list[Finding]:
    """The same for the compose file."""
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    wrong = []
    for name, service in services.items():
        if "build" in service:
            unknown = set(service["environment"]) - (programs.variables(name) or set())
            wrong += [f"{name}: knows no {variable}" for variable in sorted(unknown)]
    return [Finding("compose.yaml", "flag", text) for text in wrong]


def check_pages(programs: Programs) -> list[Finding]:
    """The table of flags in docs/operations.md: every flag exists in every service that it is said to exist in."""
    known = {app: programs.flags(app) or set() for app in SERVICES}
    wrong = []
    for cells in re.findall(r"^\| (`--[^|]*) \| ([^|]*) \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE):
        apps = SERVICES if cells[1] == "all" else cells[1].split(", ")
        for flag in re.findall(r"`--([a-z-]+)`", cells[0]):
            wrong += [f"wenzhen-{app} knows no --{flag}" for app in apps if flag not in known[app]]
    return [Finding("docs/operations.md", "flag", text) for text in wrong]
