#!/usr/bin/env bash
# Measures the package beside floors and peers, in one run. In: the package's sources, and nothing set up. Out: a table, and the file of
# `--json`. What it builds and installs stays in folders that git ignores.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --silent
[ -d ../node_modules ] || (cd .. && npm ci --silent)
(cd .. && npm run --silent build)
target=$(cargo metadata --format-version 1 --no-deps | node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).target_directory')
cargo build --quiet --profile dist -p callgate-node-floor
case "$(uname -s)" in
    Darwin) library=libcallgate_node_floor.dylib ;;
    *) library=libcallgate_node_floor.so ;;
esac
cp "$target/dist/$library" floor.node
# Node 20 may abort where a call of WebAssembly that V8 has inlined is deoptimised: cedar-wasm.
node --no-turbo-inline-js-wasm-calls bench.mjs "$@"
node guard.mjs "$@"
