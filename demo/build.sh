#!/bin/sh
# Builds what the demo runs. The command and both packages are named to Cargo each time, so that what they share has the same features, and
# is built once.
#
#   demo/build.sh            all of it
#   demo/build.sh --command  the command `callgate` alone
#   demo/build.sh --target   only prints the folder that holds what was built
set -eu
cd "$(dirname "$0")/.."
case "${1:-}" in
    --target) cargo metadata --format-version 1 --no-deps --locked | sed -E 's/.*"target_directory":"([^"]*)".*/\1\/debug/' ;;
    --command) cargo build --locked --package callgate-cli --package callgate-python --package callgate-node --bin callgate ;;
    *) cargo build --locked --package callgate-cli --package callgate-python --package callgate-node ;;
esac
