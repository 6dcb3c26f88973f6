#!/usr/bin/env bash
# Each named mistake of the guard, made one at a time: a test has to fail for each, and none without one.
set -euo pipefail
cd "$(dirname "$0")/../.."

export RUSTFLAGS="${RUSTFLAGS:-} --cfg callgate_mistakes"
run() {
    cargo test --locked --quiet --package callgate-rmcp --target-dir target/mistakes --test protocol --test hostile --test guards > target/mistakes.log 2>&1
}

mkdir -p target
run || { cat target/mistakes.log; echo "a test fails without a mistake"; exit 1; }
names=$(grep -rhoE 'is_on\("[a-z_]+"\)' adapters/rmcp/src | sed -E 's/.*"(.*)".*/\1/' | sort -u)
[ "$(wc -w <<< "$names")" -ge 5 ]
for name in $names; do
    if CALLGATE_MISTAKE=$name run; then
        echo "nobody notices $name"
        exit 1
    fi
    # It is a test that fails, not the build.
    grep -q 'test result: FAILED' target/mistakes.log
    echo "$name is noticed by $(grep -oE '^    [a-z_:]+$' target/mistakes.log | sort -u | wc -l) tests"
done
