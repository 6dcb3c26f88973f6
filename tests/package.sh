#!/usr/bin/env bash
# Packages core as crates.io would get it, and builds the README's example against the package in an empty project.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}

cargo package --package callgate --locked --allow-dirty --no-verify --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xzf "$(ls -t "$target"/package/callgate-[0-9]*.crate | head -n 1)" -C "$work"
mv "$work"/callgate-[0-9]* "$work/callgate"

mkdir -p "$work/user/src"
cat > "$work/user/Cargo.toml" << 'TOML'
[package]
name = "user"
version = "0.0.0"
edition = "2024"

[dependencies]
callgate = { path = "../callgate" }
serde_json = "1"
TOML
# The README's Rust program, as it stands there (tests/pages.py compares them).
cp examples/quickstart/embed.rs "$work/user/src/main.rs"
cp examples/quickstart/policy.yaml "$work/user/policy.yaml"
cp Cargo.lock "$work/user/Cargo.lock"
cd "$work/user"
CARGO_TARGET_DIR="$target/package-user" cargo run --quiet > output.txt
cat output.txt
grep -q "allowed" output.txt
grep -q "Single charge cannot exceed" output.txt
