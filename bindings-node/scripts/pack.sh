#!/usr/bin/env bash
# Packs what `npm publish` is given: the main package, and one for each platform whose add-on lies here.
# In: dist/ and types/; for each platform its add-on, callgate.PLATFORM.node, and its command, callgate.command.PLATFORM (without
# PLATFORM for the only one). Out: tarballs in the folder named by the first argument. With --all, a platform that lacks one is an error.
# Publishes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "$1" && cd "$1" && pwd)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

cp -r package.json dist types native.js native.d.ts README.md ../LICENSE ../THIRD-PARTY-NOTICES "$stage/"
npx napi create-npm-dirs --cwd "$stage" >/dev/null

# npm installs the one optional dependency that fits the machine; nothing is built there.
(cd "$stage" && node -e '
  const { readFileSync, readdirSync, writeFileSync } = require("node:fs");
  const write = (file, manifest) => writeFileSync(file, JSON.stringify(manifest, null, 2) + "\n");
  const { scripts: _, devDependencies: __, ...manifest } = JSON.parse(readFileSync("package.json", "utf8"));
  const platforms = readdirSync("npm").sort();
  for (const platform of platforms) {
    const file = `npm/${platform}/package.json`;
    const own = JSON.parse(readFileSync(file, "utf8"));
    const command = platform.startsWith("win32") ? "callgate.exe" : "callgate";
    const { homepage, repository, bugs, keywords, publishConfig } = manifest;
    const files = [...own.files, command, "LICENSE", "THIRD-PARTY-NOTICES"];
    const description = `callgate for ${platform}: the native half of the package callgate, and its command`;
    write(file, { ...own, name: `@callgate/${platform}`, description, keywords, homepage, repository, bugs, publishConfig, files });
    const readme = `# @callgate/${platform}\n\n${description}. Install \`callgate\`, which names this one for its platform.\n`;
    writeFileSync(`npm/${platform}/README.md`, readme);
  }
  manifest.optionalDependencies = Object.fromEntries(platforms.map((platform) => [`@callgate/${platform}`, manifest.version]));
  write("package.json", manifest);
')

for folder in "$stage"/npm/*/; do
    platform=$(basename "$folder")
    case $platform in win32-*) end=.exe ;; *) end= ;; esac
    command=callgate.command.$platform$end
    [ -f "$command" ] || command=callgate.command$end
    if [ -f "callgate.$platform.node" ] && [ -f "$command" ]; then
        cp "callgate.$platform.node" ../LICENSE ../THIRD-PARTY-NOTICES "$folder"
        install -m 755 "$command" "${folder}callgate$end"
        (cd "$folder" && npm pack --silent --pack-destination "$out" >/dev/null)
    elif [ "${2:-}" = --all ]; then
        echo "there is no add-on, or no command, for $platform" >&2
        exit 1
    fi
done
(cd "$stage" && npm pack --silent --pack-destination "$out" >/dev/null)
