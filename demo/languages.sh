#!/usr/bin/env bash
# The calls of the demo, decided by the Rust command, the Python package and the Node package; every decision is compared.
# Builds both packages; the first time that takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/demo/.work
mkdir -p "$work"
export CARGO_PROFILE_RELEASE_LTO=off PIP_DISABLE_PIP_VERSION_CHECK=1
cargo build --quiet --package callgate-cli
callgate=${CARGO_TARGET_DIR:-target}/debug/callgate

printf '\n== The same calls from Rust, Python and Node\n'
echo "   (building the Python and the Node package; the first time takes some minutes)" >&2
if [ ! -x "$work/venv/bin/maturin" ]; then
    "$(command -v python3.11 || command -v python3)" -m venv "$work/venv"
    "$work/venv/bin/pip" install -q maturin==1.16.0
fi
rm -rf "$work/dist"
(cd bindings-python && CARGO_TARGET_DIR=$PWD/target "$work/venv/bin/maturin" build -q --release --locked -i "$work/venv/bin/python" -o "$work/dist") \
    > "$work/python.log" 2>&1 || { cat "$work/python.log" >&2; exit 1; }
"$work/venv/bin/pip" install -q --no-index --no-deps --force-reinstall "$work"/dist/*.whl
(
    cd bindings-node
    [ -d node_modules ] || npm ci --silent
    [ -d dist ] && ls ./*.node > /dev/null 2>&1 || { npm run --silent build:native && npm run --silent build:ts; }
) > "$work/node.log" 2>&1 || { cat "$work/node.log" >&2; exit 1; }

printf '%-30s %6s  %s\n' policy calls "decisions, byte for byte"
for name in seed-create-access-key seed-create-user seed-create-token-with-iam seed-described code-host payments; do
    policy=spec/policies/$name.yaml
    [ -f "$policy" ] || policy=spec/policies/$name.json
    awk -f demo/expand.awk "demo/agents/$name.txt" > "$work/calls"
    "$callgate" eval --policy "$policy" --calls - --format json < "$work/calls" > "$work/rust" 2> "$work/notes"
    "$work/venv/bin/python" demo/decide.py "$policy" < "$work/calls" > "$work/python"
    node demo/decide.cjs "$policy" < "$work/calls" > "$work/node"
    for other in python node; do
        if ! diff -q "$work/rust" "$work/$other" > /dev/null; then
            echo "$name: Rust and $other decide differently:" >&2
            diff "$work/rust" "$work/$other" | head -n 4 >&2
            exit 1
        fi
    done
    printf '%-30s %6d  %s\n' "$name" "$(wc -l < "$work/calls")" "the same in Rust, Python and Node"
done
