#!/usr/bin/env bash
# Runs the scripts of components/redis-sentinel as they are, three Redis and three Sentinels on the loopback address:
# first start, failover, everything down at once, a new password, a backup restored. Needs redis-server. About a minute.
set -euo pipefail

scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")/../components/redis-sentinel" && pwd)"
work="$(mktemp -d)"
# Below the ports that the kernel gives to outgoing connections.
base=$((20000 + RANDOM % 1500 * 8))
sentinels="127.0.0.1:$((base + 3)) 127.0.0.1:$((base + 4)) 127.0.0.1:$((base + 5))"
echo -n first-password >"$work/password"
trap 'stop_all; rm -rf "$work"' EXIT

start_redis() {
  mkdir -p "$work/r$1"
  ME=127.0.0.1 PORT=$((base + $1)) DATA="$work/r$1" CONF="$work/r$1.conf" SENTINELS="$sentinels" \
    PASSWORD_FILE="$work/password" sh "$scripts/redis.sh" >"$work/r$1.log" 2>&1 &
  echo $! >"$work/r$1.pid"
  disown
}

start_sentinel() {
  mkdir -p "$work/s$1"
  ME=127.0.0.1 PORT=$((base + 3 + $1)) DATA="$work/s$1" FIRST_MASTER="127.0.0.1 $base" \
    DOWN_AFTER_MS=1000 DOWN_AFTER_AT_FIRST_MS=12000 FAILOVER_TIMEOUT_MS=5000 \
    PASSWORD_FILE="$work/password" sh "$scripts/sentinel.sh" >"$work/s$1.log" 2>&1 &
  echo $! >"$work/s$1.pid"
  disown
}

start_all() { for n in 0 1 2; do start_redis $n; start_sentinel $n; done; }

stop_all() {
  for n in 0 1 2; do
    kill -9 "$(cat "$work/r$n.pid")" "$(cat "$work/s$n.pid")" 2>/dev/null || true
  done
}

# ask N COMMAND…: asks Redis 0 to 2, or Sentinel 3 to 5.
ask() {
  local port=$((base + $1))
  shift
  REDISCLI_AUTH="$(cat "$work/password")" redis-cli -p "$port" --no-auth-warning --raw "$@" 2>/dev/null
}

role() { ask "$1" role | head -n 1; }
master() { ask 4 sentinel get-master-addr-by-name wenzhen | tail -n 1; }
online() { [[ "$(ask "$1" info replication | grep -c state=online)" == 2 ]]; }
has() { [[ "$(ask "$1" dbsize)" == "$2" ]]; }
masters() { for n in 0 1 2; do role $n; done | grep -c '^master$'; }
patient() { [[ "$(ask 3 sentinel master wenzhen | grep -A1 down-after | tail -n 1)" == 1000 ]]; }

# within SECONDS WHAT COMMAND…: waits until the command succeeds.
within() {
  local left=$(($1 * 5)) what="$2"
  shift 2
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    if ((left == 0)); then
      echo "FAILED: $what" >&2
      tail -n 5 "$work"/*.log >&2
      exit 1
    fi
    sleep 0.2
  done
  echo "ok: $what"
}

is() { [[ "$("${@:2}")" == "$1" ]]; }

start_all
within 30 "the first start makes the first Redis master, the others follow" online 0
within 30 "the Sentinels become impatient when the start is over" patient
ask 0 mset a 1 b 2 c 3 >/dev/null
ask 0 wait 2 5000 >/dev/null

kill -9 "$(cat "$work/r0.pid")"
moved() { local now; now="$(master)"; [[ -n "$now" && "$now" != "$base" ]]; }
within 30 "another Redis is made master" moved
new=$(($(master) - base))
within 30 "the new master takes writes" is OK ask "$new" set d 4
is 1 ask "$new" wait 1 5000
start_redis 0
within 30 "the old master comes back and follows" is slave role 0
within 30 "with two replicas" online "$new"

stop_all
start_all
within 60 "everything was down at once: the last master is master again" is master role "$new"
within 60 "with two replicas again" online "$new"
within 30 "and everything that was written" has "$new" 4
[[ "$(masters)" == 1 ]] || { echo "FAILED: there are $(masters) masters" >&2; exit 1; }

stop_all
echo -n second-password >"$work/password"
start_all
within 60 "a new password is taken up by all" online "$new"
within 30 "by the Sentinels as well" is "$((base + new))" master

ask "$new" save >/dev/null
cp "$work/r$new/dump.rdb" "$work/backup.rdb"
ask "$new" flushall >/dev/null
ask "$new" set something else >/dev/null
cp "$work/backup.rdb" "$work/r$new/backup.rdb"
PORT=$((base + new)) BESIDE=$((base + 6)) SENTINELS="$sentinels" PASSWORD_FILE="$work/password" \
  RESTORE_CONF="$work/restore.conf" DOWN_AFTER_MS=1000 sh "$scripts/restore.sh" "$work/r$new/backup.rdb"
for n in 0 1 2; do
  within 30 "the backup is back in Redis $n" has $n 4
done
within 1 "the same Redis is master" is "$((base + new))" master
stop_all
start_all
within 60 "and the backup survives another start" has "$new" 4
