#!/usr/bin/env bash
# Instructions of a call for each main path: the difference between two numbers of rounds under callgrind, so that start-up drops
# out. In: the sources; or the paths to count, as arguments. Out: a table, and a record each in the file that BENCH_JSON names.
# Needs valgrind; without it, says so and counts nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v valgrind > /dev/null; then
    echo "valgrind is not installed: no instructions are counted" >&2
    exit 0
fi
cargo build --quiet --release --locked -p callgate-benches --example count
target=$(cargo metadata --format-version 1 --no-deps | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
paths=("$@")
[ $# -gt 0 ] || paths=(hand from_str policy engine stack json plain denied unlisted limit limits4 refused sliding sliding_refused deep globs folding2 folding10 schema)

# The instructions of so many rounds of a path.
count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$target/release/examples/count" "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : //p'
}

printf '%-15s %12s\n' path instructions
for path in "${paths[@]}"; do
    few=$(count "$path" 500)
    many=$(count "$path" 5500)
    each=$(((many - few) / 5000))
    printf '%-15s %12d\n' "$path" "$each"
    role=ours
    case "$path" in hand | from_str) role=floor ;; esac
    [ -z "${BENCH_JSON:-}" ] || printf '{"bench":"instructions","case":"%s","subject":"%s","role":"%s","unit":"instructions","x":null,"value":%d,"least":%d,"low":%d,"high":%d}\n' \
        "$path" "$path" "$role" "$each" "$each" "$each" "$each" >> "$BENCH_JSON"
done
