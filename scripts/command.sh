#!/usr/bin/env bash
# Builds the command `callgate`, and puts it where the wheel and the npm package of this platform take it from.
# In: a Cargo profile; a target triple where it is not the machine's own; `zigbuild` where zig links (the triple may then end in a version of
# glibc). Out: `callgate._native.data/scripts/callgate` in the folder
# of the Python package, which maturin puts on PATH, and `callgate.command` in that of the Node package. On Windows each ends in `.exe`.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=$1
triple=${2:-}
build=${3:-build}

# For tests together with what they build anyway: so it has the same features, and is not compiled once more.
packages=(--package callgate-cli)
if [ "$profile" = dev ]; then packages+=(--package callgate-tests); fi
cargo "$build" --quiet --locked "${packages[@]}" --bin callgate --profile "$profile" ${triple:+--target "$triple"}
[ "$profile" = dev ] && folder=debug || folder=$profile
target=$(cargo metadata --format-version 1 --no-deps --locked | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
# zig's suffix for a version of glibc is no part of Cargo's folder.
named=${triple%%.*}
built=$target/${named:+$named/}$folder/callgate
end=
if [ -f "$built.exe" ]; then end=.exe; fi

scripts=bindings-python/callgate._native.data/scripts
rm -rf "$scripts" bindings-node/callgate.command bindings-node/callgate.command.exe
mkdir -p "$scripts"
for copy in "$scripts/callgate$end" "bindings-node/callgate.command$end"; do
    cp "$built$end" "$copy"
    # Symbols are most of a command that is built for tests.
    if [ -z "$triple" ] && command -v strip > /dev/null; then strip "$copy"; fi
done
