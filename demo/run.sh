#!/bin/sh
# Runs a runaway agent against each policy of spec/policies/ and prints callgate's decisions.
#
#   demo/run.sh              all of them
#   demo/run.sh payments     one
#
# The output is the same on every run: the times of the calls are part of the scripts in demo/agents/. CALLGATE names a
# binary to use instead of building one. Progress goes to standard error.
set -eu
cd "$(dirname "$0")/.."

if [ -z "${CALLGATE:-}" ]; then
    demo/build.sh --command
    CALLGATE=$(demo/build.sh --target)/callgate
fi

if [ $# -eq 0 ]; then
    set -- seed-create-access-key seed-create-user seed-create-token-with-iam seed-described code-host payments
fi

for name in "$@"; do
    policy=spec/policies/$name.yaml
    [ -f "$policy" ] || policy=spec/policies/$name.json
    printf '\n== %s\n' "$policy"
    sed -n 's/^# /   /p' "demo/agents/$name.txt"
    awk -f demo/expand.awk "demo/agents/$name.txt" | "$CALLGATE" eval --policy "$policy" --calls - --format table
done
