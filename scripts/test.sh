#!/usr/bin/env bash
# Runs parts of the tests, each with all of its own set-up, and ends with a table of their minutes, also when one fails.
# In: names of parts, or nothing for all of them. Out: success, or that of the first part that fails; those after it do not run.
#
#   scripts/test.sh               everything
#   scripts/test.sh core python   these two
set -uo pipefail
cd "$(dirname "$0")/.."

# Where policies have tests beside them.
policies=(spec docs examples adapters bindings-python/tests/servers)
stores=(callgate-store-contract callgate-sqlite callgate-redis)

# The pages; format, lints and documentation of all Rust code.
lint() {
    tests/pages.py
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
}

# The engine, the cases of the language, what crosses crates, the command line, policy files, the adapter for rmcp, tests of policies.
core() {
    cargo test --workspace --locked "${stores[@]/#/--exclude=}"
    # The tests of all policies, and that they cover every one.
    cargo run --quiet --locked --package callgate-cli -- test --coverage --min 100 "${policies[@]}"
}

# The contract for stores, and every store.
stores() {
    stores/redis/setup.sh
    cargo test --locked "${stores[@]/#/--package=}"
}

# What is published to crates.io, and the first half of the demo.
package() {
    scripts/command.sh dev
    CALLGATE=$PWD/bindings-node/callgate.command demo/run.sh > /dev/null
    tests/package.sh
}

python() {
    bindings-python/test.sh
}

# The last part of the demo runs the command and the published server that this installs.
node() {
    bindings-node/test.sh
    CALLGATE=$PWD/bindings-node/callgate.command demo/proxy.sh > /dev/null
}

parts=(lint core stores package python node)
chosen=("$@")
[ $# -gt 0 ] || chosen=("${parts[@]}")
for part in "${chosen[@]}"; do
    case " ${parts[*]} " in
        *" $part "*) ;;
        *) echo "there is no part \`$part\`; there are: ${parts[*]}" >&2; exit 2 ;;
    esac
done

status=0
table=
for part in "${chosen[@]}"; do
    if [ "$status" != 0 ]; then
        table+=$(printf '%-10s %7s  not run' "$part" -)$'\n'
        continue
    fi
    printf '\n==== %s\n' "$part"
    began=$SECONDS
    # In a shell of its own, so that the first command that fails ends it: bash ignores `set -e` in what an `if` asks.
    (set -e; "$part")
    status=$?
    took=$((SECONDS - began))
    [ "$status" = 0 ] && said=passed || said=FAILED
    table+=$(printf '%-10s %4d:%02d  %s' "$part" $((took / 60)) $((took % 60)) "$said")$'\n'
done
printf '\n%-10s %7s\n%s' part minutes "$table"
exit "$status"
