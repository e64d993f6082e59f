"""The Dockerfile, the compose file and the shell scripts."""

import re
import shutil
import subprocess

import yaml

from checks.model import DEPLOY, ROOT, Finding

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
COMPOSE = DEPLOY / "compose.yaml"


def check() -> list[Finding]:
    return [*dockerfile(), *compose(), *tools()]


def base_services() -> set[str]:
    return set(yaml.safe_load((DEPLOY / "base" / "kustomization.yaml").read_text())["resources"]) - {"namespace.yaml"}


def dockerfile() -> list[Finding]:
    """What Kubernetes and the manifests expect of the image."""
    text, where = DOCKERFILE.read_text(), "docker/Dockerfile"
    final = text[text.rindex("\nFROM runtime AS service") :]
    runtime = text[text.index(" AS runtime") :]
    wanted = {
        "the last stage copies one service": "COPY --from=build /out/wenzhen-${SERVICE} " in final,
        "the process is PID 1, without a shell": re.search(r'^ENTRYPOINT \["', final, re.MULTILINE) is not None,
        "a numeric user that is not root": re.search(r"^USER 65532:65532$", runtime, re.MULTILINE) is not None,
        "--locked in every cargo command": all("--locked" in line for line in re.findall(r"cargo (?:build|install|chef cook)[^\n]*", text)),
        "a distroless base": "gcr.io/distroless/cc-debian12:nonroot" in text,
    }
    return [Finding(where, "image", f"missing: {what}") for what, holds in wanted.items() if not holds]


def compose() -> list[Finding]:
    where, wrong = "compose.yaml", []
    spec = yaml.safe_load(COMPOSE.read_text())
    services = spec["services"]
    ours = {name: service for name, service in services.items() if "build" in service}
    if set(ours) != base_services():
        wrong.append(f"builds {sorted(ours)}, the base has {sorted(base_services())}")
    for name, service in ours.items():
        if service["build"]["args"]["SERVICE"] != name:
            wrong.append(f"{name}: is built as {service['build']['args']['SERVICE']}")
        env = service["environment"]
        grace = float(service.get("stop_grace_period", "10s").rstrip("s"))
        if grace * 1000 <= int(env["WENZHEN_DRAIN_BUDGET_MS"]) + 1000:
            wrong.append(f"{name}: stop_grace_period is not longer than the drain budget")
        for variable, value in env.items():
            for host in re.findall(r"://([a-z0-9-]+):\d+", value or ""):
                if host not in services:
                    wrong.append(f"{name}: {variable} leads to {host}, which is no service")
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("."):
                if not (DEPLOY / source).exists():
                    wrong.append(f"{name}: {source} does not exist")
            elif source not in spec["volumes"]:
                wrong.append(f"{name}: there is no volume {source}")
        for other in service.get("depends_on", []):
            if other not in services:
                wrong.append(f"{name}: depends on {other}, which is no service")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                wrong.append(f"{name}: the port {port} is open to other machines")
    return [Finding(where, "compose", text) for text in wrong]


def tools() -> list[Finding]:
    """hadolint and shellcheck, which come with the requirements."""
    scripts = [DEPLOY / "check", *sorted(DEPLOY.glob("components/*/*.sh")), *sorted(DEPLOY.glob("tests/*.sh"))]
    found = []
    for tool, paths in (("hadolint", [DOCKERFILE]), ("shellcheck", scripts)):
        program = shutil.which(tool)
        if program is None:
            found.append(Finding(tool, "tool", "is not installed, though it is in requirements.txt"))
            continue
        for path in paths:
            done = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
            if done.returncode:
                found.append(Finding(str(path.relative_to(ROOT)), tool, done.stdout.strip()[-800:]))
    return found


def redis() -> list[Finding]:
    """Runs the scripts of components/redis-sentinel for real."""
    done = subprocess.run([DEPLOY / "tests" / "redis.sh"], capture_output=True, text=True, check=False)
    if done.returncode:
        return [Finding("components/redis-sentinel", "redis", (done.stdout + done.stderr).strip()[-3000:])]
    print(f"ran Redis with Sentinel: {done.stdout.count('ok: ')} steps")
    return []

