"""The call graph, declared once, against what settings name and what network policies let through."""

import re

from checks.model import Rendered, Workload, selects

NAMESPACE = "kubernetes.io/metadata.name"
URL = re.compile(r"(?P<scheme>[a-z+]+)://(?P<rest>[^/]+)")


def check(rendered: Rendered) -> None:
    settings(rendered)
    if any(rendered.kind("NetworkPolicy")):
        policies(rendered)


def declared(rendered: Rendered) -> set[tuple[str, str, int]]:
    """Edges of the call graph among what is deployed here, those from and to the outside with it."""
    apps = {w.app for w in rendered.workloads()}
    services = {w.app for w in rendered.services()}
    groups = {"services": services, "all": apps}
    edges = {(e["from"], e["to"], e["port"]) for e in rendered.graph["edges"] if {e["from"], e["to"]} <= apps}
    for edge in rendered.graph["outside"]:
        inside = "from" if edge["from"] in groups or edge["from"] in apps else "to"
        for app in groups.get(edge[inside], {edge[inside]} & apps):
            ends = dict(edge, **{inside: app})
            edges.add((ends["from"], ends["to"], ends["port"]))
    return edges


def settings(rendered: Rendered) -> None:
    """Every address in the settings leads somewhere, by the right scheme, along an edge; every edge is used."""
    graph = {(e["from"], e["to"]) for e in rendered.graph["edges"]}
    used = set()
    for workload in rendered.services():
        for name, value in workload.env().items():
            match = URL.match(value or "")
            if not match or not name.startswith("WENZHEN_"):
                continue
            for host in match["rest"].split(","):
                used |= leads(rendered, workload, (name, match["scheme"], host), graph)
    apps = {w.app for w in rendered.workloads()}
    ours = {w.app for w in rendered.services()}
    for source, target in sorted(graph):
        expected = source in ours and target in apps
        # A client of Sentinel learns from it where Redis is.
        learned = target == "redis" and (source, "sentinel") in used
        if expected and (source, target) not in used and not learned:
            rendered.find("callgraph", f"Deployment/{source}", f"no setting says where {target} is")


def leads(rendered: Rendered, workload: Workload, setting: tuple[str, str, str], graph: set) -> set[tuple[str, str]]:
    name, scheme, address = setting
    host, _, port = address.partition(":")
    first, *rest = host.split(".")
    app = rest[0] if rest and rendered.named("Service", rest[0]) else first
    if len(rest) == 1 and app == first and not rendered.named("Service", first):
        outside = [e for e in rendered.graph["outside"] if e["to"] == rest[0] and str(e["port"]) == port]
        if not outside:
            rendered.find("callgraph", workload.doc, f"{name} leads to {address}, outside of the call graph")
        return set()
    service = rendered.named("Service", app)
    if not service:
        if app not in rendered.graph["brought_along"]:
            rendered.find("address", workload.doc, f"{name} leads to {address}: there is no Service {app}")
        return {(workload.app, app)}
    if int(port or 0) not in [item["port"] for item in service["spec"]["ports"]]:
        rendered.find("address", workload.doc, f"{name} leads to {address}: the Service {app} has no such port")
    if app != first and not any(w.app == app and first in replicas(w) for w in rendered.workloads()):
        rendered.find("address", workload.doc, f"{name} leads to {address}: {app} has no pod {first}")
    if (workload.app, app) not in graph:
        rendered.find("callgraph", workload.doc, f"{name} leads to {app}, outside of the call graph")
    callee = next((w for w in rendered.services() if w.app == app), None)
    if callee:
        tls = "WENZHEN_TLS_CERT" in callee.env()
        if (scheme == "https") != tls:
            rendered.find("address", workload.doc, f"{name} says {scheme}, but {app} speaks {'TLS' if tls else 'in clear'}")
    return {(workload.app, app)}


def replicas(workload: Workload) -> list[str]:
    return [f"{workload.name}-{number}" for number in range(workload.doc["spec"].get("replicas", 1))]


def policies(rendered: Rendered) -> None:
    """What leaves and what may enter, each by itself, is what is declared."""
    wanted = declared(rendered)
    apps = {w.app for w in rendered.workloads()}
    leaving = {edge for edge in wanted if edge[0] in apps}
    entering = {edge for edge in wanted if edge[1] in apps}
    for direction, wished in (("egress", leaving), ("ingress", entering)):
        allowed = let_through(rendered, direction)
        for source, target, port in sorted(wished - allowed):
            rendered.find("policy", "NetworkPolicy", f"{direction}: {source} -> {target}:{port} is not let through")
        for source, target, port in sorted(allowed - wished):
            rendered.find("policy", "NetworkPolicy", f"{direction}: {source} -> {target}:{port} is let through")
    for kind in ("Ingress", "Egress"):
        if not any(kind in types(p) and not p["spec"]["podSelector"] for p in rendered.kind("NetworkPolicy")):
            rendered.find("policy", "NetworkPolicy", f"no policy closes the {kind.lower()} of pods still to come")
    for workload in rendered.workloads():
        for kind in ("Ingress", "Egress"):
            if not any(closes(policy, workload, kind) for policy in rendered.kind("NetworkPolicy")):
                rendered.find("policy", workload.doc, f"{kind.lower()} is open: no policy closes it")


def types(policy: dict) -> list[str]:
    implied = ["Ingress", "Egress"] if "egress" in policy["spec"] else ["Ingress"]
    return policy["spec"].get("policyTypes", implied)


def closes(policy: dict, workload: Workload, kind: str) -> bool:
    return kind in types(policy) and selects(policy["spec"]["podSelector"], workload.labels)


def let_through(rendered: Rendered, direction: str) -> set[tuple[str, str, int]]:
    """Edges that the policies of one direction permit; `*` stands for anybody or any port."""
    edges = set()
    workloads = rendered.workloads()
    for policy in rendered.kind("NetworkPolicy"):
        if direction.title() not in types(policy):
            continue
        own = [w.app for w in workloads if selects(policy["spec"]["podSelector"], w.labels)]
        for rule in policy["spec"].get(direction) or []:
            ports = [port.get("port", 0) for port in rule.get("ports") or [{}]]
            peers = peers_of(rule.get("from" if direction == "ingress" else "to"), workloads)
            for app in own:
                for peer in peers:
                    ends = (peer, app) if direction == "ingress" else (app, peer)
                    edges |= {(*ends, port) for port in ports}
    return edges


def peers_of(peers: list[dict] | None, workloads: list[Workload]) -> set[str]:
    if not peers:
        return {"*"}
    found = set()
    for peer in peers:
        if "ipBlock" in peer:
            found.add(peer["ipBlock"]["cidr"])
        elif "namespaceSelector" in peer:
            found.add((peer["namespaceSelector"].get("matchLabels") or {}).get(NAMESPACE, "*"))
        else:
            found |= {w.app for w in workloads if selects(peer.get("podSelector"), w.labels)}
    return found
