#!/usr/bin/env bash
# Measures everything and writes the table, or the parts that are named. In: the sources, and BENCH_QUICK=1 for a quarter of the
# rounds. Out: results/*.jsonl, a record a line; results/table.md and *.svg. Pages change only by `benches/table.py --release`.
# Each part sets up what it needs. A part that fails is named at the end and leaves no records; the others go on.
set -uo pipefail
cd "$(dirname "$0")/.."
results=$PWD/benches/results
mkdir -p "$results"
quick=${BENCH_QUICK:-0}

# Ours alone, or with whatever leaves serde_json as it is.
lean() { cargo run --quiet --release --locked -p callgate-benches --example "$@"; }
peers() { cargo run --quiet --release --locked --manifest-path benches/peers/Cargo.toml "$@"; }

measure() {
    case "$1" in
        evaluate) lean lean ;;
        growth) lean growth ;;
        tests) lean tests ;;
        risk) lean risk ;;
        limits) peers --bin limits ;;
        compile) peers --bin compile ;;
        engines) peers --features engines --bin engines ;;
        instructions) benches/count.sh ;;
        python) bindings-python/bench/run.sh --rounds "$([ "$quick" = 0 ] && echo 200 || echo 40)" --json "$BENCH_JSON" ;;
        gateway) benches/gateway/run.sh ;;
        rmcp) cargo bench --quiet --locked -p callgate-rmcp --bench calls ;;
        node) ROUNDS=$([ "$quick" = 0 ] && echo 31 || echo 9) bindings-node/bench/bench.sh --json "$BENCH_JSON" ;;
        sqlite)
            directory=$(mktemp -d)
            lean sqlite -- "$directory"
            status=$?
            rm -rf "$directory"
            return $status
            ;;
        redis) stores/redis/setup.sh && cargo bench --quiet --locked -p callgate-benches --bench redis ;;
        *) echo "no such part: $1" >&2 && return 2 ;;
    esac
}

parts=("$@")
[ $# -gt 0 ] || parts=(evaluate growth tests risk limits compile engines instructions python node sqlite redis gateway rmcp)
failed=()
for part in "${parts[@]}"; do
    echo "== $part"
    fresh=$(mktemp)
    if BENCH_JSON=$fresh measure "$part" && { [ -s "$fresh" ] || [ "$part" = instructions ]; }; then
        mv "$fresh" "$results/$part.jsonl"
        chmod 644 "$results/$part.jsonl"
    else
        failed+=("$part")
        rm -f "$fresh" "$results/$part.jsonl"
    fi
done
python3 benches/table.py
if [ ${#failed[@]} -gt 0 ]; then
    echo "failed: ${failed[*]}" >&2
    exit 1
fi
