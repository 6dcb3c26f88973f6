#!/usr/bin/env bash
# Cargo, as `napi build` calls it for tests. In: its arguments. Out: what Cargo does, without the machine's own target: napi always names
# one, and Cargo keeps what is built for a named target apart, so everything that is built already would be compiled once more.
set -euo pipefail
args=()
triple=
while [ $# -gt 0 ]; do
    if [ "$1" = --target ]; then triple=$2; shift 2; else args+=("$1"); shift; fi
done
cargo "${args[@]}"
if [ "${args[0]}" = build ]; then
    # Where napi looks for the library.
    target=$(cargo metadata --format-version 1 --no-deps --locked | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
    mkdir -p "$target/$triple/debug"
    cp "$target/debug/"*callgate_node.{so,dylib,dll} "$target/$triple/debug/" 2> /dev/null || [ -n "$(ls "$target/$triple/debug")" ]
fi
