#!/usr/bin/env bash
# Sets up, builds and tests the Node package, on a machine with Node, npm and Rust. Everything goes to folders that git ignores.
# In: nothing, or `setup` to stop before the tests; CALLGATE_PAIRS sets how many generated calls are compared with Rust. Out: success, or the first failure.
set -euo pipefail
cd "$(dirname "$0")"
export CALLGATE_PAIRS=${CALLGATE_PAIRS:-100000}
rm -rf .work
mkdir -p .work/committed

echo "== set up"
npm ci --silent
../stores/redis/setup.sh

echo "== build; what is generated must be what is committed"
cp -r native.js native.d.ts types .work/committed/
rm -rf dist types
../scripts/command.sh dev
npm run --silent build:native
npm run --silent build:ts
for generated in native.js native.d.ts types; do
    diff -r ".work/committed/$generated" "$generated" || {
        echo "$generated was not up to date; it is now: commit it" >&2
        exit 1
    }
done

echo "== what Rust decides"
cargo build --quiet --locked -p callgate-cli -p callgate-tests --bin callgate --bin pairs --bin decisions
target=$(cargo metadata --format-version 1 --no-deps | node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).target_directory')
"$target/debug/decisions" >.work/decisions-rust.jsonl
"$target/debug/pairs" --count "$CALLGATE_PAIRS" --seed "${CALLGATE_SEED:-1}" >.work/pairs.jsonl

echo "== pack, and install into a folder with the examples"
./scripts/pack.sh .work/tarballs
mkdir .work/app
cp ../examples/node/*.ts ../examples/node/policy.yaml .work/app/
mkdir .work/app/quickstart
cp ../examples/quickstart/server.mjs ../examples/quickstart/policy.yaml .work/app/quickstart/
echo '{"private": true, "type": "module"}' >.work/app/package.json
(cd .work/app && npm install --offline --silent ../tarballs/*.tgz)

echo "== types"
npx tsc --project tsconfig.test.json
cp ../examples/node/tsconfig.json .work/app/
npx tsc --project .work/app/tsconfig.json

if [ "${1:-}" = setup ]; then exit; fi

echo "== the SDKs' own clients"
../tests/clients.py sdk1:sdk1 sdk2:sdk2

echo "== test"
if node --test --test-reporter=spec .work/tests/test/*.test.mjs >.work/test.log; then
    grep -E '^. (tests|pass|fail|skipped) ' .work/test.log
else
    sed -n '/failing tests:/,$p' .work/test.log
    exit 1
fi
