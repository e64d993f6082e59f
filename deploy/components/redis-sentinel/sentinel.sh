#!/bin/sh
# Starts one Sentinel. Its file is written once and then belongs to Sentinel, which notes there who the master is; only
# the password is brought up to date. On the very first start redis-0 is the master.
set -eu

# How long a master may be silent; and right after a start, when everything may have been down and Redis itself waits
# for the Sentinels: a failover then could choose a replica that was behind.
silent="${DOWN_AFTER_MS:-5000}"
at_first="${DOWN_AFTER_AT_FIRST_MS:-60000}"
me="${ME:-$(hostname).sentinel}"
port="${PORT:-26379}"
first="${FIRST_MASTER:-redis-0.redis 6379}"
password="$(cat "${PASSWORD_FILE:-/etc/redis/auth/password}")"
data="${DATA:-/data}"
conf="$data/sentinel.conf"

umask 077
if [ -s "$conf" ]; then
  # `user default` holds the hash of the password before; without it, requirepass counts.
  awk -v q="\"$password\"" -v ms="$at_first" '
    /^user default / { next }
    /^requirepass / { $0 = "requirepass " q }
    /^sentinel sentinel-pass / { $0 = "sentinel sentinel-pass " q }
    /^sentinel down-after-milliseconds wenzhen / { $4 = ms }
    /^sentinel auth-pass wenzhen / { $0 = "sentinel auth-pass wenzhen " q }
    { print }' \
    "$conf" >"$conf.new"
  mv "$conf.new" "$conf"
else
  cat >"$conf" <<CONF
bind * -::*
port $port
dir $data
requirepass "$password"
sentinel sentinel-pass "$password"

# Before "monitor", or the name of the master could not be resolved.
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $me
sentinel announce-port $port

# Two of three must agree that the master is gone.
sentinel monitor wenzhen $first 2
sentinel auth-pass wenzhen "$password"
sentinel down-after-milliseconds wenzhen $at_first
sentinel failover-timeout wenzhen ${FAILOVER_TIMEOUT_MS:-30000}
sentinel parallel-syncs wenzhen 1
CONF
fi
(
  sleep "$((at_first / 1000))"
  REDISCLI_AUTH="$password" redis-cli -p "$port" --no-auth-warning \
    sentinel set wenzhen down-after-milliseconds "$silent"
) &
exec redis-server "$conf" --sentinel
