#!/usr/bin/env bash
# The calls of the demo, decided by the Rust command, the Python package and the Node package; every decision is compared.
#
# In: nothing set up but Rust, Python and Node. Out: a table; progress on standard error. Builds the native halves of both packages for
# this use alone, without wheel and tarball: those are what `make test` builds and installs.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/demo/.work
python=$(command -v python3.11 || command -v python3)
mkdir -p "$work"

printf '\n== The same calls from Rust, Python and Node\n'
echo "   (building the Python and the Node package)" >&2
# npm mostly waits for the network: meanwhile, Cargo builds.
if [ ! -d bindings-node/node_modules ]; then
    (cd bindings-node && npm ci --silent) > "$work/npm.log" 2>&1 &
    npm=$!
fi
demo/build.sh
target=$(demo/build.sh --target)
case "$(uname -s)" in Darwin) end=dylib ;; *) end=so ;; esac

rm -rf "$work/python" "$work/node"
mkdir -p "$work/python" "$work/node"
cp -r bindings-python/python/callgate "$work/python/"
cp "$target/lib_native.$end" "$work/python/callgate/_native.abi3.so"

if [ -n "${npm:-}" ]; then wait "$npm" || { cat "$work/npm.log" >&2; exit 1; }; fi
(cd bindings-node && npx tsc --project tsconfig.json --noCheck --declaration false --declarationDir null --outDir "$work/node/dist")
cp bindings-node/native.js "$work/node/"
cp "$target/libcallgate_node.$end" "$work/node/callgate.node"

export PYTHONPATH=$work/python PYTHONDONTWRITEBYTECODE=1 NAPI_RS_NATIVE_LIBRARY_PATH=$work/node/callgate.node
printf '%-30s %6s  %s\n' policy calls "decisions, byte for byte"
for name in seed-create-access-key seed-create-user seed-create-token-with-iam seed-described code-host payments; do
    policy=spec/policies/$name.yaml
    [ -f "$policy" ] || policy=spec/policies/$name.json
    awk -f demo/expand.awk "demo/agents/$name.txt" > "$work/calls"
    "$target/callgate" eval --policy "$policy" --calls - --format json < "$work/calls" > "$work/rust.out" 2> "$work/notes"
    "$python" demo/decide.py "$policy" < "$work/calls" > "$work/python.out"
    node demo/decide.cjs "$policy" < "$work/calls" > "$work/node.out"
    for other in python node; do
        if ! diff -q "$work/rust.out" "$work/$other.out" > /dev/null; then
            echo "$name: Rust and $other decide differently:" >&2
            diff "$work/rust.out" "$work/$other.out" | head -n 4 >&2
            exit 1
        fi
    done
    printf '%-30s %6d  %s\n' "$name" "$(wc -l < "$work/calls")" "the same in Rust, Python and Node"
done
