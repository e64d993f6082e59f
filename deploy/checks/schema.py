"""Against the schemas of Kubernetes, strictly; and the shape of the custom resources, for which it has none."""

import functools
import json
import warnings

import kubernetes_validate
from kubernetes_validate.utils import SchemaNotFoundError, ValidationError

from checks.model import Rendered

# The oldest Kubernetes that runs the manifests (the preStop sleep), and the newest that there is a schema for.
VERSIONS = ["1.30", "1.37"]

# Custom resources: API version, and the keys that `spec` must and may have.
CUSTOM = {
    "Certificate": (
        "cert-manager.io/v1",
        {"secretName", "issuerRef"},
        {"commonName", "dnsNames", "duration", "isCA", "privateKey", "renewBefore", "usages"},
    ),
    "Issuer": ("cert-manager.io/v1", set(), {"ca", "selfSigned"}),
    "PodMonitor": ("monitoring.coreos.com/v1", {"selector", "podMetricsEndpoints"}, {"podTargetLabels"}),
    "PrometheusRule": ("monitoring.coreos.com/v1", {"groups"}, set()),
    "ScaledObject": (
        "keda.sh/v1alpha1",
        {"scaleTargetRef", "triggers", "minReplicaCount", "maxReplicaCount"},
        {"advanced", "fallback", "pollingInterval", "cooldownPeriod"},
    ),
    "Gateway": ("gateway.networking.k8s.io/v1", {"gatewayClassName", "listeners"}, {"addresses"}),
    "GRPCRoute": ("gateway.networking.k8s.io/v1", {"parentRefs", "rules"}, {"hostnames"}),
    "BackendTLSPolicy": ("gateway.networking.k8s.io/v1", {"targetRefs", "validation"}, set()),
}


def check(rendered: Rendered) -> None:
    seen = set()
    for doc in rendered.docs:
        key = (doc["kind"], doc["metadata"].get("namespace"), doc["metadata"]["name"])
        if key in seen:
            rendered.find("twice", doc, "there are two of this name")
        seen.add(key)
        if doc["kind"] in CUSTOM:
            custom(rendered, doc)
        else:
            known(rendered, doc)


def known(rendered: Rendered, doc: dict) -> None:
    # The cases have most documents in common, and a schema takes its time.
    for text in complaints(json.dumps(doc, sort_keys=True)):
        rendered.find("schema", doc, text)


@functools.cache
def complaints(text: str) -> list[str]:
    doc, found = json.loads(text), []
    for version in VERSIONS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kubernetes_validate.validate(doc, version, strict=True)
        except ValidationError as error:
            path = ".".join(str(part) for part in error.path)
            found.append(f"Kubernetes {version}: {path}: {error.message[:200]}")
        except SchemaNotFoundError:
            found.append(f"{doc['apiVersion']} {doc['kind']} is unknown to Kubernetes {version}")
    return found


def custom(rendered: Rendered, doc: dict) -> None:
    version, must, may = CUSTOM[doc["kind"]]
    if doc["apiVersion"] != version:
        rendered.find("schema", doc, f"apiVersion is {doc['apiVersion']}, not {version}")
    keys = set(doc.get("spec") or {})
    for key in sorted(must - keys):
        rendered.find("schema", doc, f"spec.{key} is missing")
    for key in sorted(keys - must - may):
        rendered.find("schema", doc, f"spec.{key} is not known here")
