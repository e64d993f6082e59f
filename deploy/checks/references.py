"""Cross-references that no schema knows: a name on one side must be a name on the other."""

from checks.model import Rendered, Workload, selects


def check(rendered: Rendered) -> None:
    for workload in rendered.workloads():
        pods(rendered, workload)
        volumes(rendered, workload)
        sources(rendered, workload)
    services(rendered)
    disruption(rendered)
    scaling(rendered)
    for monitor in rendered.kind("PodMonitor"):
        monitored(rendered, monitor)
    certificates(rendered)
    gateways(rendered)
    for doc in rendered.docs:
        if doc["kind"] != "Namespace" and doc["metadata"].get("namespace") != "wenzhen":
            rendered.find("namespace", doc, f"is in {doc['metadata'].get('namespace')!r}, not in wenzhen")


def pods(rendered: Rendered, workload: Workload) -> None:
    """Selectors of and within a workload choose its own pods."""
    if not selects(workload.doc["spec"]["selector"], workload.labels):
        rendered.find("selector", workload.doc, "does not select its own pods")
    for spread in workload.pod.get("topologySpreadConstraints", []):
        if not selects(spread.get("labelSelector"), workload.labels):
            rendered.find("selector", workload.doc, f"spreads other pods than its own over {spread['topologyKey']}")
    anti = workload.pod.get("affinity", {}).get("podAntiAffinity", {})
    for term in anti.get("requiredDuringSchedulingIgnoredDuringExecution", []):
        if not selects(term.get("labelSelector"), workload.labels):
            rendered.find("selector", workload.doc, "keeps away from other pods than its own")
    account = workload.pod.get("serviceAccountName")
    if account and not rendered.named("ServiceAccount", account):
        rendered.find("account", workload.doc, f"there is no ServiceAccount {account}")
    if workload.doc["kind"] == "StatefulSet" and not rendered.named("Service", workload.doc["spec"]["serviceName"]):
        rendered.find("service", workload.doc, f"there is no Service {workload.doc['spec']['serviceName']}")


def volumes(rendered: Rendered, workload: Workload) -> None:
    have = [volume["name"] for volume in workload.pod.get("volumes", [])]
    have += [claim["metadata"]["name"] for claim in workload.doc["spec"].get("volumeClaimTemplates", [])]
    used = [mount["name"] for mount in workload.mounts()]
    for name in sorted(set(used) - set(have)):
        rendered.find("volume", workload.doc, f"mounts {name}, which is no volume")
    for name in sorted(set(have) - set(used)):
        rendered.find("volume", workload.doc, f"has the volume {name}, which nothing mounts")
    paths = [mount["mountPath"] for mount in workload.mounts()]
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        rendered.find("volume", workload.doc, f"mounts two things at {path}")
    for mount in workload.mounts():
        if "subPath" in mount:
            rendered.find("volume", workload.doc, f"{mount['mountPath']}: a subPath never shows renewed files")


def secret_keys(rendered: Rendered, name: str) -> set[str] | None:
    """Keys of a secret: of one that is rendered, one that a Certificate makes, or one that people make."""
    secret = rendered.named("Secret", name)
    if secret:
        return set(secret.get("data", {})) | set(secret.get("stringData", {}))
    if any(doc["spec"]["secretName"] == name for doc in rendered.kind("Certificate")):
        return {"tls.crt", "tls.key", "ca.crt"}
    keys = rendered.graph["secrets"].get(name)
    return None if keys is None else set(keys)


def sources(rendered: Rendered, workload: Workload) -> None:
    """ConfigMaps and Secrets that a workload takes in exist, and so do the files that its settings name."""
    files: dict[str, set[str]] = {}
    claimed: list[str] = []
    for volume in workload.pod.get("volumes", []):
        keys: set[str] | None = set()
        if "configMap" in volume:
            config = rendered.named("ConfigMap", volume["configMap"]["name"])
            keys = set(config.get("data", {})) if config else None
        elif "secret" in volume:
            keys = secret_keys(rendered, volume["secret"]["secretName"])
        elif "persistentVolumeClaim" in volume:
            # What lies in it, nobody here can know.
            claim = rendered.named("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
            keys = set() if claim else None
            claimed += [mount["mountPath"] + "/" for mount in workload.mounts() if mount["name"] == volume["name"]]
        if keys is None:
            rendered.find("source", workload.doc, f"the volume {volume['name']} is of something that does not exist")
        for mount in workload.mounts():
            if mount["name"] == volume["name"]:
                files[mount["mountPath"]] = keys or set()
    for source in workload.container.get("envFrom", []):
        name = source.get("configMapRef", {}).get("name", "")
        if not rendered.named("ConfigMap", name):
            rendered.find("source", workload.doc, f"there is no ConfigMap {name!r}")
    for entry in workload.container.get("env", []):
        key = entry.get("valueFrom", {}).get("configMapKeyRef")
        if key and key["key"] not in (rendered.named("ConfigMap", key["name"]) or {}).get("data", {}):
            rendered.find("source", workload.doc, f"{entry['name']}: no key {key['key']} in ConfigMap {key['name']}")
    for name, value in workload.env().items():
        if value and value.startswith("/"):
            folder, _, file = value.rpartition("/")
            held = any(value.startswith(path) for path in claimed)
            if not held and file not in files.get(folder, set()):
                rendered.find("source", workload.doc, f"{name}={value} is no file that is mounted")
    for word in workload.container.get("command", []):
        folder, _, file = word.rpartition("/")
        if folder in files and file not in files[folder]:
            rendered.find("source", workload.doc, f"starts {word}, which is not mounted")


def services(rendered: Rendered) -> None:
    for service in rendered.kind("Service"):
        spec = service["spec"]
        chosen = [w for w in rendered.workloads() if selects({"matchLabels": spec["selector"]}, w.labels)]
        if not chosen:
            rendered.find("selector", service, "selects no pod")
        if spec.get("clusterIP") != "None":
            rendered.find("headless", service, "is not headless: a connection would stay with one pod")
        for port in spec["ports"]:
            target = port.get("targetPort", port["port"])
            for workload in chosen:
                if target not in workload.ports() and target not in workload.ports().values():
                    rendered.find("port", service, f"port {port['name']}: {workload.name} has no port {target}")
    for workload in rendered.services():
        if not rendered.named("Service", workload.name):
            rendered.find("service", workload.doc, "has no Service of its name")


def disruption(rendered: Rendered) -> None:
    covered = set()
    for budget in rendered.kind("PodDisruptionBudget"):
        chosen = [w for w in rendered.workloads() if selects(budget["spec"]["selector"], w.labels)]
        covered |= {w.name for w in chosen}
        if len(chosen) != 1:
            rendered.find("selector", budget, f"covers {len(chosen)} workloads, not one")
    for workload in rendered.services():
        if workload.name not in covered:
            rendered.find("budget", workload.doc, "no PodDisruptionBudget covers it")


def scaling(rendered: Rendered) -> None:
    by_target: dict[str, list[str]] = {}
    for scaler in rendered.kind("HorizontalPodAutoscaler", "ScaledObject"):
        spec, target = scaler["spec"], scaler["spec"]["scaleTargetRef"]
        workload = rendered.named(target["kind"], target["name"])
        by_target.setdefault(target["name"], []).append(scaler["kind"])
        if not workload:
            rendered.find("target", scaler, f"there is no {target['kind']} {target['name']} to scale")
        elif "replicas" in workload["spec"]:
            rendered.find("target", scaler, f"{target['name']} sets replicas too: applying would undo the scaling")
        low = spec.get("minReplicas", spec.get("minReplicaCount"))
        high = spec.get("maxReplicas", spec.get("maxReplicaCount"))
        if not low or not high or low > high:
            rendered.find("target", scaler, f"scales from {low} to {high}")
        for trigger in spec.get("triggers", []):
            query = trigger["metadata"]["query"]
            for want in (f'namespace="{scaler["metadata"]["namespace"]}"', f'service="{target["name"]}"'):
                if want not in query:
                    rendered.find("target", scaler, f"a query does not ask for {want}")
    for name, kinds in by_target.items():
        if len(kinds) > 1:
            rendered.find("target", f"Deployment/{name}", f"is scaled by {' and '.join(kinds)}")


def monitored(rendered: Rendered, monitor: dict) -> None:
    chosen = [w for w in rendered.workloads() if selects(monitor["spec"]["selector"], w.labels)]
    missing = {w.name for w in rendered.services()} - {w.name for w in chosen}
    if missing:
        rendered.find("selector", monitor, f"does not scrape {', '.join(sorted(missing))}")
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        for workload in chosen:
            if endpoint["port"] not in workload.ports():
                rendered.find("port", monitor, f"{workload.name} has no port {endpoint['port']}")


def certificates(rendered: Rendered) -> None:
    for certificate in rendered.kind("Certificate"):
        issuer = certificate["spec"]["issuerRef"]
        if not rendered.named(issuer.get("kind", "Issuer"), issuer["name"]):
            rendered.find("issuer", certificate, f"there is no issuer {issuer['name']}")
        names = certificate["spec"].get("dnsNames", [])
        if not certificate["spec"].get("isCA") and certificate["metadata"]["name"] not in names:
            rendered.find("certificate", certificate, "is not for the name by which it is called")
    for workload in rendered.services():
        for volume in workload.pod.get("volumes", []):
            secret = volume.get("secret", {}).get("secretName", "")
            if volume["name"] == "tls" and secret != f"{workload.name}-tls":
                rendered.find("certificate", workload.doc, f"holds the certificate {secret}, which is not its own")


def gateways(rendered: Rendered) -> None:
    for route in rendered.kind("GRPCRoute"):
        for parent in route["spec"]["parentRefs"]:
            gateway = rendered.named("Gateway", parent["name"])
            listeners = {item["name"]: item for item in gateway["spec"]["listeners"]} if gateway else {}
            listener = listeners.get(parent.get("sectionName", ""))
            if not listener:
                rendered.find("gateway", route, f"there is no listener {parent.get('sectionName')} at {parent['name']}")
            elif listener.get("hostname") not in route["spec"].get("hostnames", []):
                rendered.find("gateway", route, f"the listener is for {listener.get('hostname')}")
        for rule in route["spec"]["rules"]:
            for backend in rule["backendRefs"]:
                backed(rendered, route, backend["name"], backend["port"])
    for gateway in rendered.kind("Gateway"):
        for listener in gateway["spec"]["listeners"]:
            for reference in listener.get("tls", {}).get("certificateRefs", []):
                if secret_keys(rendered, reference["name"]) is None:
                    rendered.find("source", gateway, f"there is no Secret {reference['name']}")
    for policy in rendered.kind("BackendTLSPolicy"):
        for target in policy["spec"]["targetRefs"]:
            backed(rendered, policy, target["name"], None)
        for reference in policy["spec"]["validation"]["caCertificateRefs"]:
            if "ca.crt" not in (secret_keys(rendered, reference["name"]) or set()):
                rendered.find("source", policy, f"there is no authority in {reference['name']}")


def backed(rendered: Rendered, doc: dict, name: str, port: int | None) -> None:
    service = rendered.named("Service", name)
    if not service:
        rendered.find("gateway", doc, f"there is no Service {name}")
    elif port is not None and port not in [item["port"] for item in service["spec"]["ports"]]:
        rendered.find("gateway", doc, f"the Service {name} has no port {port}")
