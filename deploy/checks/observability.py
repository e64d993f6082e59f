"""Alert rules and the dashboard: they load, they ask for metrics that exist, and each alert has a page and a test."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

from checks import metrics
from checks.model import DEPLOY, ROOT, Finding, Rendered

RULES = DEPLOY / "prometheus" / "alerts.yaml"
WRAPPED = DEPLOY / "components" / "prometheus-operator" / "rules.yaml"
DASHBOARD = DEPLOY / "grafana" / "wenzhen.json"
TESTS = sorted((DEPLOY / "tests").glob("alerts*.yaml"))
PAGES = ROOT / "docs" / "operations.md"
VARIABLES = {"$namespace": "wenzhen", "$service": ".*", "$__rate_interval": "5m", "${datasource}": "x"}


def wrapped() -> str:
    """The rules as a PrometheusRule."""
    lines = RULES.read_text().splitlines()
    start = lines.index("groups:")
    head = [
        "# Made from deploy/prometheus/alerts.yaml by `deploy/check --write`; change it there.",
        "apiVersion: monitoring.coreos.com/v1",
        "kind: PrometheusRule",
        "metadata:",
        "  name: wenzhen",
        "  namespace: wenzhen",
        "spec:",
    ]
    return "\n".join(head + [f"  {line}".rstrip() for line in lines[start:]]) + "\n"


def promtool() -> str | None:
    return shutil.which("promtool")


def run(*command: str) -> str | None:
    """What a command complains about; None when it is content."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip()[-2000:]


def check() -> list[Finding]:
    rules = yaml.safe_load(RULES.read_text())
    there = metrics.registered() | metrics.recorded(rules) | metrics.others()
    return [*alerts(rules, there), *dashboard(there), *promtool_rules()]


def scalers(rendered: Rendered) -> None:
    """Queries of the scalers ask for metrics that exist, too."""
    there = metrics.registered() | metrics.others()
    for scaler in rendered.kind("ScaledObject"):
        for trigger in scaler["spec"]["triggers"]:
            for name in sorted(metrics.used(trigger["metadata"]["query"]) - there):
                rendered.find("metric", scaler, f"there is no metric {name}")


def alerts(rules: dict, there: set[str]) -> list[Finding]:
    where, found = "prometheus/alerts.yaml", []
    if not WRAPPED.exists() or WRAPPED.read_text() != wrapped():
        found.append(Finding(str(WRAPPED.relative_to(DEPLOY)), "stale", "is not made from alerts.yaml: deploy/check --write"))
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in heading_lines()}
    tested = {
        alert["alertname"]
        for path in TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for alert in test.get("alert_rule_test", [])
        if alert.get("exp_alerts")
    }
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        name = rule.get("alert") or rule["record"]
        for metric in sorted(metrics.used(rule["expr"]) - there):
            found.append(Finding(where, "metric", f"{name}: there is no metric {metric}"))
        if "alert" not in rule:
            continue
        if rule["labels"].get("severity") not in ("critical", "warning"):
            found.append(Finding(where, "alert", f"{name}: severity is neither critical nor warning"))
        for key in ("summary", "description", "runbook_url"):
            if not rule["annotations"].get(key):
                found.append(Finding(where, "alert", f"{name}: has no {key}"))
        anchor = rule["annotations"].get("runbook_url", "").rpartition("#")[2]
        if anchor not in headings:
            found.append(Finding(where, "runbook", f"{name}: docs/operations.md has no heading #{anchor}"))
        if name not in tested:
            found.append(Finding(where, "untested", f"{name}: no test in tests/alerts*.yaml makes it fire"))
    return found


def heading_lines() -> list[str]:
    return [line for line in PAGES.read_text().splitlines() if line.startswith("#")] if PAGES.exists() else []


def expressions(board: dict) -> list[tuple[str, str]]:
    """Every query of the dashboard, with its panel."""
    return [
        (panel["title"], target["expr"])
        for panel in board["panels"]
        if panel["type"] != "row"
        for target in panel["targets"]
    ]


def dashboard(there: set[str]) -> list[Finding]:
    where, board = "grafana/wenzhen.json", json.loads(DASHBOARD.read_text())
    wrong = [f"has no {key}" for key in ("uid", "title", "schemaVersion", "templating", "time") if not board.get(key)]
    if board.get("id") is not None:
        wrong.append("has an id: it would overwrite another dashboard")
    ids = [panel["id"] for panel in board["panels"]]
    if len(ids) != len(set(ids)):
        wrong.append("two panels have one id")
    names = {f"${item['name']}" for item in board["templating"]["list"]} | {"$__rate_interval"}
    filled: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        title = panel["title"]
        wrong += [f"{title}: {text}" for text in panel_faults(panel, names)]
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if filled.setdefault((x, y), title) != title:
                    wrong.append(f"{title}: lies over {filled[x, y]}")
    for title, expression in expressions(board):
        wrong += [f"{title}: there is no metric {name}" for name in sorted(metrics.used(substituted(expression)) - there)]
    return [Finding(where, "dashboard", text) for text in dict.fromkeys(wrong)]


def panel_faults(panel: dict, names: set[str]) -> list[str]:
    if panel["type"] == "row":
        return []
    faults = []
    place = panel["gridPos"]
    if place["x"] + place["w"] > 24:
        faults.append("is wider than the grid")
    if panel.get("datasource", {}).get("uid") != "${datasource}":
        faults.append("has no data source, or a fixed one")
    if not panel.get("targets"):
        faults.append("asks for nothing")
    if "unit" not in panel.get("fieldConfig", {}).get("defaults", {}):
        faults.append("has no unit")
    for target in panel.get("targets", []):
        if target.get("datasource", {}).get("uid") != "${datasource}":
            faults.append("a query has no data source, or a fixed one")
        unknown = set(re.findall(r"\$\w+", target["expr"])) - names
        faults += [f"the variable {name} does not exist" for name in sorted(unknown)]
    return faults


def substituted(expression: str) -> str:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def promtool_rules() -> list[Finding]:
    """Prometheus's own opinion of the rules, of the alerts' tests and of the dashboard's queries."""
    tool = promtool()
    if not tool:
        return []
    found = []
    for where, command in (
        ("prometheus/alerts.yaml", ("check", "rules", str(RULES))),
        ("tests/alerts*.yaml", ("test", "rules", *map(str, TESTS))),
    ):
        complaint = run(tool, *command)
        if complaint:
            found.append(Finding(where, "promtool", complaint))
    board = json.loads(DASHBOARD.read_text())
    rules = [
        {"record": f"panel:{number}", "expr": substituted(expression)}
        for number, (_, expression) in enumerate(expressions(board))
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "panels.yaml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
        complaint = run(tool, "check", "rules", str(path))
    if complaint:
        found.append(Finding("grafana/wenzhen.json", "promtool", complaint))
    return found
