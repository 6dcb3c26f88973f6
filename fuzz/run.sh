#!/usr/bin/env bash
# Runs every fuzz target, or those that are named, for FUZZ_SECONDS each, one after the other.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${FUZZ_SECONDS:-1200}
# `none` runs several times as many inputs as `address`; core has no unsafe code for an address sanitizer to watch.
sanitizer=${FUZZ_SANITIZER:-none}
targets=("$@")
[ $# -gt 0 ] || targets=(parse_yaml parse_json compile diagnostics forms arguments readings schema names call stream sequence evaluate store)

command -v cargo-fuzz > /dev/null || cargo install --locked cargo-fuzz

failed=0
for target in "${targets[@]}"; do
    case $target in
        parse_yaml | parse_json | compile | diagnostics | forms) dictionary=(-dict=dictionaries/policy.dict) ;;
        arguments | readings | schema | call | stream) dictionary=(-dict=dictionaries/json.dict) ;;
        *) dictionary=() ;;
    esac
    (cd .. && cargo run --quiet --locked -p callgate-tests --bin seeds -- "$target" "fuzz/corpus/$target/")
    echo "== $target, $seconds s"
    if ! cargo +nightly fuzz run --fuzz-dir . --sanitizer "$sanitizer" "$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 -max_len=65536 -print_final_stats=1 \
        "${dictionary[@]}"; then
        failed=1
        echo "== $target failed or was interrupted. A find is the newest file under fuzz/artifacts/$target; to repeat it:"
        echo "   cargo +nightly fuzz run --fuzz-dir fuzz --sanitizer $sanitizer $target fuzz/artifacts/$target/FILE"
    fi
done
exit "$failed"
