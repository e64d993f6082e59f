#!/bin/sh
# Starts one of the Redis. It asks the Sentinels who the master is and waits until two of them agree: they keep what
# they know on disk, so even after everything was down at once the last master comes back as master, never just the
# first pod.
set -eu

me="${ME:-$(hostname).redis}"
port="${PORT:-6379}"
sentinels="${SENTINELS:-sentinel-0.sentinel:26379 sentinel-1.sentinel:26379 sentinel-2.sentinel:26379}"
password="$(cat "${PASSWORD_FILE:-/etc/redis/auth/password}")"
conf="${CONF:-/run/redis/redis.conf}"
data="${DATA:-/data}"

# The address (HOST PORT) on which two Sentinels agree; fails when there is none.
master() {
  for sentinel in $sentinels; do
    REDISCLI_AUTH="$password" timeout 2 redis-cli -h "${sentinel%:*}" -p "${sentinel#*:}" --no-auth-warning --raw \
      sentinel get-master-addr-by-name wenzhen 2>/dev/null | paste -sd' ' - || true
  done | grep -E '^[^ ]+ [0-9]+$' | sort | uniq -c | awk '$1 >= 2 { print $2, $3; found = 1; exit } END { exit !found }'
}

until at="$(master)"; do
  echo "redis: waiting for two sentinels to agree on the master"
  sleep 1
done

umask 077
cat >"$conf" <<CONF
bind * -::*
port $port
dir $data
requirepass "$password"
masterauth "$password"

# Every write is on disk within a second, the replicas' as well; see docs/operations.md for what that leaves open.
appendonly yes
appendfsync everysec
aof-use-rdb-preamble yes

# A store of consultations must refuse writes when it is full, never throw old ones away.
maxmemory ${MAXMEMORY:-1gb}
maxmemory-policy noeviction

# A master that no replica follows takes no writes: a partitioned one would only collect what is lost later.
min-replicas-to-write 1
min-replicas-max-lag 10

# Pods get new addresses; names stay.
replica-announce-ip $me
replica-announce-port $port
CONF
[ "$at" = "$me $port" ] || echo "replicaof $at" >>"$conf"
echo "redis: $me:$port starts, the master is $at"
exec redis-server "$conf"
