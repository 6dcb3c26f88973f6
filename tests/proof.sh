#!/usr/bin/env bash
# The slower checks of `make proof`. Installs what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-deny > /dev/null || cargo install --locked cargo-deny
cargo deny check licenses bans sources

# Debian's LLVM reads the coverage data; the setup of cargo-llvm-cov would fetch a component of its own.
command -v cargo-llvm-cov > /dev/null || cargo install --locked cargo-llvm-cov
llvm=$(ls -d /usr/lib/llvm-* 2> /dev/null | sort -V | tail -n 1)
export CARGO_LLVM_COV_SETUP=no LLVM_COV="$llvm/bin/llvm-cov" LLVM_PROFDATA="$llvm/bin/llvm-profdata"
cargo llvm-cov --package callgate --package callgate-tests --ignore-filename-regex '^(cli|host|tests|benches)/' --summary-only
