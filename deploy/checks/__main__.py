"""Runs every check, prints what it finds, and what it could not look at."""

import argparse
import os
import pathlib
import shutil
import sys
import time

from checks import broken, files, flags, observability
from checks.model import Finding, Tree


def main() -> int:
    parser = argparse.ArgumentParser(prog="deploy/check", description="Tests deploy/.")
    parser.add_argument("--bin-dir", type=pathlib.Path, help="folder with the binaries, to compare variables with --help")
    parser.add_argument("--long", action="store_true", help="also run the scripts of Redis with Sentinel, for a minute")
    parser.add_argument("--write", action="store_true", help="bring files that are made from others up to date first")
    args = parser.parse_args()
    if not shutil.which("kubectl"):
        print("deploy/check: kubectl is not installed", file=sys.stderr)
        return 2
    if args.write:
        observability.WRAPPED.write_text(observability.wrapped())
    began = time.monotonic()
    findings, skipped = [], []
    programs = flags.Programs(args.bin_dir) if args.bin_dir else None
    with Tree() as tree:
        names = list(tree.cases())
        documents = 0
        for name in names:
            rendered = tree.render(name)
            broken.all_checks(rendered)
            observability.scalers(rendered)
            if programs:
                flags.check(rendered, programs)
            documents += len(rendered.docs)
            findings += rendered.findings
    print(f"rendered {len(names)} ways, {documents} documents: {', '.join(names)}")
    findings += files.check() + observability.check()
    if programs:
        findings += flags.check_compose(programs) + flags.check_pages(programs)
    else:
        skipped.append("variables against --help (give --bin-dir)")
    if not observability.promtool():
        skipped.append("rules, alert tests and queries with promtool (not installed)")
        if os.environ.get("WENZHEN_CI"):
            findings.append(Finding("prometheus/alerts.yaml", "promtool", "is not installed, and nothing may be skipped here"))
    if not args.long:
        skipped.append("Redis with Sentinel: failover, outage, restore (give --long)")
    elif not shutil.which("redis-server"):
        skipped.append("Redis with Sentinel (redis-server is not installed)")
    else:
        findings += files.redis()
    count, missed = broken.check()
    findings += missed
    print(f"made {count} mistakes, {count - len(missed)} found")
    return report(findings, skipped, time.monotonic() - began)


def report(findings: list[Finding], skipped: list[str], seconds: float) -> int:
    for finding in sorted(set(findings)):
        print(f"wrong: {finding}")
    for what in skipped:
        print(f"!! NOT CHECKED: {what}")
    verdict = f"{len(set(findings))} findings" if findings else "ok"
    print(f"deploy/check: {verdict} in {seconds:.0f} s")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
