#!/usr/bin/env bash
# What the tests of the Redis store run: redis-server, redis-cli and openssl. Installs what is missing (Debian, Ubuntu).
set -euo pipefail

missing=
for command in redis-server redis-cli openssl; do
  command -v "$command" > /dev/null || missing="$missing $command"
done
if [ -z "$missing" ]; then exit 0; fi

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
if ! command -v apt-get > /dev/null; then
  echo "install$missing, and run this again" >&2
  exit 1
fi
as_root apt-get update -q
# The package `redis-server` would start a service of the system. All that it adds to this one is the name of the program.
as_root apt-get install -y -q --no-install-recommends redis-tools openssl
command -v redis-server > /dev/null || as_root ln -s "$(command -v redis-check-rdb)" /usr/local/bin/redis-server
