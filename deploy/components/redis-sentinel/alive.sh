#!/bin/sh
# Ready when it answers PING: not while the append-only file is being read, not with a wrong password.
set -eu
REDISCLI_AUTH="$(cat /etc/redis/auth/password)"
export REDISCLI_AUTH
[ "$(timeout 2 redis-cli -p "$1" --no-auth-warning ping)" = PONG ]
