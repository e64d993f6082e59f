#!/usr/bin/env bash
# Loads one agent with ghz, with the requests that `wenzhen load` would send. See README.md beside this file.
# usage: run.sh AGENT HOST:PORT RPS DURATION [METHOD]
# WENZHEN is the wenzhen command (default: wenzhen on the PATH), GHZ that of ghz; GHZ_FLAGS takes more flags of ghz.
# DRY_RUN=1 prints the command instead of running it.
set -euo pipefail

if (($# < 4 || $# > 5)); then
  sed -n '2,5p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
agent="$1" target="$2" rps="$3" duration="$4"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"

case "$agent" in
  kg) service=KgService method="${5:-Advance}" ;;
  guidance) service=GuidanceService method="${5:-Interpret}" ;;
  expert) service=ExpertService method="${5:-Diagnose}" ;;
  empathy) service=EmpathyService method="${5:-Assess}" ;;
  orchestrator) service=OrchestratorService method="${5:-StartConsultation}" ;;
  *)
    printf 'no agent %s: orchestrator, kg, guidance, expert or empathy\n' "$agent" >&2
    exit 2
    ;;
esac

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
choose=()
[[ "$agent" == orchestrator ]] || choose=(--method "$method")
"${WENZHEN:-wenzhen}" load "$agent" "${choose[@]}" --print-requests 1000 --seed 1 >"$work/requests.jsonl"
{
  printf '[\n'
  sed '$!s/$/,/' "$work/requests.jsonl"
  printf ']\n'
} >"$work/requests.json"

# shellcheck disable=SC2206 # flags are words
extra=(${GHZ_FLAGS:---insecure})
command=("${GHZ:-ghz}" "${extra[@]}" --async
  --proto "$root/proto/wenzhen/$agent/v1/$agent.proto" --import-paths "$root/proto"
  --call "wenzhen.$agent.v1.$service/$method"
  --data-file "$work/requests.json"
  --rps "$rps" --duration "$duration" --duration-stop wait --concurrency 50 --connections 1 --timeout 10s
  "$target")
if [[ -n "${DRY_RUN:-}" ]]; then
  printf '%q ' "${command[@]}"
  printf '\n'
else
  "${command[@]}"
fi
