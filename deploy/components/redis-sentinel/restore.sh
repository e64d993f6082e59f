#!/bin/sh
# Puts a backup in the place of everything that is there. Run in the pod of the master, with orchestrator and kg scaled
# to 0:
#
#   kubectl -n wenzhen cp -c redis ./dump.rdb redis-0:/data/backup.rdb
#   kubectl -n wenzhen exec redis-0 -c redis -- sh /scripts/restore.sh /data/backup.rdb
#
# A second Redis reads the backup, the master becomes its replica for a moment and then master again: so the append-only
# file is written anew and the replicas follow, all by Redis itself.
set -eu

backup="$1"
port="${PORT:-6379}"
beside="${BESIDE:-16379}"
sentinels="${SENTINELS:-sentinel-0.sentinel:26379 sentinel-1.sentinel:26379 sentinel-2.sentinel:26379}"
password="$(cat "${PASSWORD_FILE:-/etc/redis/auth/password}")"
conf="${RESTORE_CONF:-/run/redis/restore.conf}"
REDISCLI_AUTH="$password"
export REDISCLI_AUTH

own() { redis-cli -p "$port" --no-auth-warning "$@"; }
other() { redis-cli -p "$beside" --no-auth-warning "$@"; }

# patience MILLISECONDS: how long the Sentinels wait before they take the master for dead.
patience() {
  for sentinel in $sentinels; do
    redis-cli -h "${sentinel%:*}" -p "${sentinel#*:}" --no-auth-warning \
      sentinel set wenzhen down-after-milliseconds "$1" >/dev/null
  done
}

# until_says SECONDS FIELD=VALUE…: waits until INFO of the master says all of it.
until_says() {
  left="$1"
  shift
  for want in "$@"; do
    until own info | tr -d '\r' | grep -qx "$want"; do
      left=$((left - 1))
      [ "$left" -gt 0 ] || { echo "restore: gave up waiting for $want" >&2; exit 1; }
      sleep 1
    done
  done
}

[ -s "$backup" ] || { echo "restore: there is no backup $backup" >&2; exit 1; }
own info replication | grep -q '^role:master' || { echo "restore: this Redis is not the master" >&2; exit 1; }

replicas="$(own info replication | grep -c 'state=online' || true)"
umask 077
cat >"$conf" <<CONF
bind 127.0.0.1
port $beside
dir $(dirname "$backup")
dbfilename $(basename "$backup")
requirepass "$password"
appendonly no
save ""
CONF
patience 3600000
redis-server "$conf" >"$conf.log" 2>&1 &
child=$!
trap 'own replicaof no one >/dev/null || true; kill "$child" 2>/dev/null || true; patience "${DOWN_AFTER_MS:-5000}"; rm -f "$conf" "$conf.log"' EXIT
until [ "$(other ping 2>/dev/null)" = PONG ]; do
  kill -0 "$child" 2>/dev/null || { echo "restore: $backup cannot be read:" >&2; tail -n 5 "$conf.log" >&2; exit 1; }
  sleep 1
done
echo "restore: the backup has $(other dbsize) keys, the master $(own dbsize)"
own replicaof 127.0.0.1 "$beside" >/dev/null
until_says 3600 master_link_status:up master_sync_in_progress:0
own replicaof no one >/dev/null
until_says 3600 aof_rewrite_in_progress:0 aof_rewrite_scheduled:0 aof_last_bgrewrite_status:ok
# Until the replicas have it too, a failover would bring back what was replaced.
until [ "$(own info replication | grep -c 'state=online' || true)" -ge "$replicas" ]; do
  sleep 1
done
echo "restore: done, $replicas replicas follow, the master has $(own dbsize) keys"
