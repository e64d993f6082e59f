"""What every pod of ours owes: probes that exist, an end in good order, no rights, a stated size."""

import re

from checks.model import Rendered, Workload

# A second in which cut streams say goodbye, after the drain budget.
CUT_GRACE_S = 1
PATHS = {"startupProbe": {"/livez", "/readyz"}, "livenessProbe": {"/livez"}, "readinessProbe": {"/readyz"}}


def check(rendered: Rendered) -> None:
    for workload in rendered.workloads():
        image(rendered, workload)
        rights(rendered, workload)
        size(rendered, workload)
        for probe in PATHS:
            probed(rendered, workload, probe)
    for workload in rendered.services():
        ending(rendered, workload)
        listening(rendered, workload)


def image(rendered: Rendered, workload: Workload) -> None:
    name = workload.container["image"]
    if "@sha256:" not in name and not re.search(r":[^/:]+$", name):
        rendered.find("image", workload.doc, f"{name} has neither tag nor digest")
    if name.endswith(":latest"):
        rendered.find("image", workload.doc, f"{name}: latest is whatever it was that day")


def rights(rendered: Rendered, workload: Workload) -> None:
    pod, container = workload.pod.get("securityContext", {}), workload.container.get("securityContext", {})
    wanted = {
        "runAsNonRoot": pod.get("runAsNonRoot") is True,
        "runAsUser above 0": pod.get("runAsUser", 0) > 0,
        "seccompProfile RuntimeDefault": pod.get("seccompProfile", {}).get("type") == "RuntimeDefault",
        "allowPrivilegeEscalation: false": container.get("allowPrivilegeEscalation") is False,
        "readOnlyRootFilesystem": container.get("readOnlyRootFilesystem") is True,
        "capabilities drop ALL": container.get("capabilities", {}).get("drop") == ["ALL"],
        "automountServiceAccountToken: false": workload.pod.get("automountServiceAccountToken") is False,
        "enableServiceLinks: false": workload.pod.get("enableServiceLinks") is False,
    }
    for what, holds in wanted.items():
        if not holds:
            rendered.find("rights", workload.doc, f"{what} is missing")


def size(rendered: Rendered, workload: Workload) -> None:
    resources = workload.container.get("resources", {})
    for where, what in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if what not in resources.get(where, {}):
            rendered.find("size", workload.doc, f"resources.{where}.{what} is missing")


def probed(rendered: Rendered, workload: Workload, probe: str) -> None:
    spec = workload.container.get(probe)
    if not spec:
        rendered.find("probe", workload.doc, f"has no {probe}")
        return
    target = (spec.get("httpGet") or spec.get("tcpSocket") or {}).get("port")
    if target is not None and target not in workload.ports() and target not in workload.ports().values():
        rendered.find("probe", workload.doc, f"{probe} asks port {target}, which does not exist")
    if "httpGet" in spec and spec["httpGet"]["path"] not in PATHS[probe]:
        rendered.find("probe", workload.doc, f"{probe} asks {spec['httpGet']['path']}")
    if "grpc" in spec:
        rendered.find("probe", workload.doc, f"{probe} is a gRPC probe: the kubelet cannot speak TLS")


def ending(rendered: Rendered, workload: Workload) -> None:
    """Pod gone from DNS, then the drain, then the cut: all before the kubelet loses its patience."""
    sleep = workload.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds")
    if not sleep:
        rendered.find("grace", workload.doc, "has no preStop sleep")
    drain = workload.env().get("WENZHEN_DRAIN_BUDGET_MS")
    if not drain:
        rendered.find("grace", workload.doc, "WENZHEN_DRAIN_BUDGET_MS is not set")
    delay = int(workload.env().get("WENZHEN_DRAIN_DELAY_MS") or 0)
    needed = (sleep or 0) + (delay + int(drain or 0)) / 1000 + CUT_GRACE_S
    grace = workload.pod.get("terminationGracePeriodSeconds", 30)
    if grace <= needed:
        rendered.find("grace", workload.doc, f"terminationGracePeriodSeconds {grace} is not longer than {needed:g} s")


def listening(rendered: Rendered, workload: Workload) -> None:
    """The ports that the settings open are those that the pod names."""
    for variable, port in (("WENZHEN_LISTEN", "grpc"), ("WENZHEN_ADMIN_LISTEN", "admin")):
        value = workload.env().get(variable) or ""
        if not value.endswith(f":{workload.ports().get(port)}"):
            rendered.find("port", workload.doc, f"{variable}={value}, but the port {port} is {workload.ports().get(port)}")
