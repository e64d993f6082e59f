"""What the checks look at: rendered manifests, and findings about them."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parents[1]
ROOT = DEPLOY.parent


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """Something wrong: where, which check says so, and what."""

    where: str
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.code}: {self.text}"


class Rendered:
    """The documents that one `kubectl kustomize` printed."""

    def __init__(self, name: str, docs: list[dict], deploy: pathlib.Path):
        self.name = name
        self.docs = docs
        self.graph = yaml.safe_load((deploy / "callgraph.yaml").read_text())
        self.findings: list[Finding] = []

    def find(self, code: str, doc: dict | str, text: str) -> None:
        where = doc if isinstance(doc, str) else f"{doc['kind']}/{doc['metadata']['name']}"
        self.findings.append(Finding(f"{self.name}: {where}", code, text))

    def kind(self, *kinds: str) -> Iterator[dict]:
        return (doc for doc in self.docs if doc["kind"] in kinds)

    def named(self, kind: str, name: str) -> dict | None:
        return next((doc for doc in self.kind(kind) if doc["metadata"]["name"] == name), None)

    def workloads(self) -> list[Workload]:
        return [Workload(self, doc) for doc in self.kind("Deployment", "StatefulSet")]

    def services(self) -> list[Workload]:
        """The workloads that are programs of ours."""
        return [w for w in self.workloads() if w.labels.get("app.kubernetes.io/part-of") == "wenzhen"]


class Workload:
    """A Deployment or StatefulSet."""

    def __init__(self, rendered: Rendered, doc: dict):
        self.rendered, self.doc = rendered, doc
        self.name = doc["metadata"]["name"]
        self.template = doc["spec"]["template"]
        self.pod = self.template["spec"]
        self.labels = self.template["metadata"]["labels"]
        self.app = self.labels.get("app.kubernetes.io/name", self.name)
        self.container = self.pod["containers"][0]

    def ports(self) -> dict[str, int]:
        return {port.get("name", ""): port["containerPort"] for port in self.container.get("ports", [])}

    def mounts(self) -> list[dict]:
        return self.container.get("volumeMounts", [])

    def env(self) -> dict[str, str | None]:
        """The variables as the program sees them; None where the value is known only at run time."""
        values: dict[str, str | None] = {}
        for source in self.container.get("envFrom", []):
            config = self.rendered.named("ConfigMap", source.get("configMapRef", {}).get("name", ""))
            values.update((config or {}).get("data", {}))
        for entry in self.container.get("env", []):
            values[entry["name"]] = entry.get("value")
        return values


def selects(selector: dict | None, labels: dict) -> bool:
    """Whether a label selector chooses pods with these labels; an empty one chooses all."""
    selector = selector or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or []:
        value, among = labels.get(term["key"]), term.get("values", [])
        holds = {
            "In": value in among,
            "NotIn": value not in among,
            "Exists": term["key"] in labels,
            "DoesNotExist": term["key"] not in labels,
        }[term["operator"]]
        if not holds:
            return False
    return True


class Tree:
    """A copy of deploy/ to render in, with one folder for each case; a context manager."""

    def __init__(self, source: pathlib.Path = DEPLOY):
        self._temporary = tempfile.TemporaryDirectory(prefix="wenzhen-deploy-")
        self.deploy = pathlib.Path(self._temporary.name) / "deploy"
        shutil.copytree(source, self.deploy, ignore=shutil.ignore_patterns("load", "__pycache__"))
        for component in sorted((self.deploy / "components").iterdir()):
            folder = self.deploy / "cases" / component.name
            folder.mkdir(parents=True)
            lines = {"resources": ["../../base"], "components": [f"../../components/{component.name}"]}
            (folder / "kustomization.yaml").write_text(yaml.safe_dump(lines))

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        self._temporary.cleanup()

    def cases(self) -> dict[str, pathlib.Path]:
        """Every way in which the manifests are rendered: the base, each component on it, each overlay."""
        found = {"base": self.deploy / "base"}
        found |= {f"base + {path.name}": path for path in sorted((self.deploy / "cases").iterdir())}
        found |= {path.name: path for path in sorted((self.deploy / "overlays").iterdir()) if path.is_dir()}
        return found

    def render(self, name: str) -> Rendered:
        """Renders a case; what kustomize refuses becomes a finding."""
        command = ["kubectl", "kustomize", str(self.cases()[name])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        docs = [doc for doc in yaml.safe_load_all(done.stdout) if doc] if done.returncode == 0 else []
        rendered = Rendered(name, docs, self.deploy)
        if done.returncode:
            rendered.find("render", "kustomize", done.stderr.strip().replace(self._temporary.name, ""))
        return rendered
