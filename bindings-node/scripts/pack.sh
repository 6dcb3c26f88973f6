#!/usr/bin/env bash
# Packs what `npm publish` is given: the main package, and one for each platform whose add-on lies here.
# In: built add-ons (callgate.PLATFORM.node), dist/ and types/. Out: tarballs in the folder named by the first argument.
# With --all, a platform without an add-on is an error. Publishes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "$1" && cd "$1" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

cp -r package.json dist types native.js native.d.ts README.md "$stage/"
if [ -f ../LICENSE ]; then cp ../LICENSE "$stage/"; fi
npx napi create-npm-dirs --cwd "$stage" >/dev/null

# npm installs the one optional dependency that fits the machine; nothing is built there.
(cd "$stage" && node -e '
  const { readFileSync, readdirSync, writeFileSync } = require("node:fs");
  const { scripts, devDependencies, ...manifest } = JSON.parse(readFileSync("package.json", "utf8"));
  const names = readdirSync("npm").map((platform) => JSON.parse(readFileSync(`npm/${platform}/package.json`, "utf8")).name);
  manifest.optionalDependencies = Object.fromEntries(names.sort().map((name) => [name, manifest.version]));
  writeFileSync("package.json", JSON.stringify(manifest, null, 2) + "\n");
')

for folder in "$stage"/npm/*/; do
    platform=$(basename "$folder")
    if [ -f "callgate.$platform.node" ]; then
        cp "callgate.$platform.node" "$folder"
        (cd "$folder" && npm pack --silent --pack-destination "$out" >/dev/null)
    elif [ "${2:-}" = --all ]; then
        echo "there is no add-on for $platform" >&2
        exit 1
    fi
done
(cd "$stage" && npm pack --silent --pack-destination "$out" >/dev/null)
