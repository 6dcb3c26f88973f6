#!/usr/bin/env bash
# The slower checks of `make proof`: each one by its name, or all of them. Installs what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# Per cent of core's lines that tests reach.
lines=98
oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

installed() {
    command -v "$1" > /dev/null || cargo install --locked "$1"
}

# Licences, bans and sources of everything that is linked.
dependencies() {
    installed cargo-deny
    cargo deny check licenses bans sources
}

# What the tests reach of core. Debian's LLVM reads the data; the set-up of cargo-llvm-cov would fetch a component of its own.
coverage() {
    installed cargo-llvm-cov
    local llvm
    llvm=$(find /usr/lib -maxdepth 1 -name 'llvm-*' | sort -V | tail -n 1)
    CARGO_LLVM_COV_SETUP=no LLVM_COV=$llvm/bin/llvm-cov LLVM_PROFDATA=$llvm/bin/llvm-profdata \
        cargo llvm-cov --package callgate --package callgate-tests --package callgate-store-contract --summary-only --fail-under-lines "$lines" \
        --ignore-filename-regex '(^|/)(cli|host|stores|tests|benches)/|/tests(\.rs|/)|interleavings\.rs'
}

# Every order in which two threads can meet in the in-memory store.
interleavings() {
    RUSTFLAGS="--cfg callgate_loom" cargo test --locked --package callgate --lib --target-dir target/loom interleavings
}

# The oldest compiler that is promised, where it is installed.
msrv() {
    if cargo "+$oldest" --version > /dev/null 2>&1; then
        cargo "+$oldest" check --workspace --locked --target-dir target/msrv
    else
        echo "skipped: the $oldest toolchain is not installed"
    fi
}

# Undefined behaviour below core, where the nightly toolchain has miri.
miri() {
    if cargo +nightly miri --version > /dev/null 2>&1; then
        cargo +nightly miri test --package callgate --lib --target-dir target/miri -- glob number raw
    else
        echo "skipped: the nightly toolchain has no miri"
    fi
}

# Changes of core's interface against the newest release.
interface() {
    if cargo info --registry crates-io callgate > /dev/null 2>&1; then
        installed cargo-semver-checks
        cargo semver-checks --package callgate
    else
        echo "skipped: callgate is not released yet"
    fi
}

# What passes the relay, as Go's `encoding/json` reads it, and what must come out byte for byte. Messages on which Go differs are shown by
# target/relayed/finds: new kinds belong in tests/go-finds.jsonl, which `make test` runs.
relayed() {
    if ! command -v go > /dev/null; then
        if [ "$(id -u)" = 0 ]; then apt-get install -y -q --no-install-recommends golang-go
        else sudo apt-get install -y -q --no-install-recommends golang-go; fi
    fi
    mkdir -p target/relayed
    go build -o target/relayed/judge tests/judge.go
    cargo build --quiet --release --locked --package callgate-tests --bin relayed
    local seed=${SEED:-$RANDOM} run=target/release/relayed judge=target/relayed/judge
    echo "seed $seed"
    "$run" sent --count 1000000 --seed "$seed" | "$judge" finds > target/relayed/finds
    # It finds what there is to find: Go ignores the case of names.
    [ "$(wc -l < target/relayed/finds)" -gt 1000 ]
    local said
    said=$("$run" forwarded --count "${MESSAGES:-20000000}" --seed "$seed" | "$judge")
    echo "messages that Go read, calls, denied calls: $said"
    [ "${said##* }" = 0 ]
    "$run" unchanged --count "${UNCHANGED:-10000000}" --seed "$seed"
    "$run" sequences --count "${SEQUENCES:-1000000}" --seed "$seed"
}

# Mistakes that the relay is told to make, one or more for each clause of spec/guards.md that it keeps: a test has to fail for each.
relay_mistakes() {
    local name test=(env RUSTFLAGS="--cfg callgate_mistakes" cargo test --quiet --locked --package callgate-relay --test relay --target-dir target/mistakes)
    local unnoticed=0 made=0
    "${test[@]}" > /dev/null
    for name in $(sed -n 's/^    \([A-Z][A-Za-z]*\),$/\1/p' relay/src/mistake.rs); do
        made=$((made + 1))
        if CALLGATE_MISTAKE=$name "${test[@]}" > /dev/null 2>&1; then
            echo "not noticed: $name"
            unnoticed=$((unnoticed + 1))
        fi
    done
    echo "mistakes: $made, not noticed: $unnoticed"
    [ "$made" -gt 0 ] && [ "$unnoticed" = 0 ]
}

# The engine beside the reference interpreter, on twenty million generated calls.
differ() {
    cargo run --quiet --release --locked --package callgate-tests --bin differ -- --cases "${CALLS:-20000000}" --seed "${SEED:-$RANDOM}"
}

# Policies with additions, which never let a call through that was stopped.
stricter() {
    cargo run --quiet --release --locked --package callgate-tests --bin stricter -- --pairs "${PAIRS:-1000000}" --seed "${SEED:-$RANDOM}"
}

# Calls that take long although every ceiling is kept.
slow() {
    cargo run --quiet --release --locked --package callgate-tests --bin slow
}

# The servers that the seeds are about, unmodified, behind the proxy.
aws() {
    local work=target/aws/venv
    [ -d "$work" ] || python3 -m venv "$work"
    "$work/bin/pip" install -q awslabs.amazon-mq-mcp-server==2.1.1 awslabs.ecs-mcp-server==0.1.37 awslabs.iam-mcp-server==1.1.2
    cargo build --quiet --locked --package callgate-cli --bin callgate
    python3 tests/aws.py target/debug/callgate "$work/bin"
}

# Mistakes put into core one at a time: a test has to fail for each. Takes hours; MUTANTS=0/100 tries a hundredth.
mutants() {
    installed cargo-mutants
    cargo mutants --package callgate --test-package callgate --test-package callgate-tests --shard "${MUTANTS:-0/1}" \
        --file 'core/src/{condition,decision,evaluate}/*.rs' --file 'core/src/store/{judge.rs,memory/*.rs}' \
        --output target/mutants
}

# Two hundred chains of processes for each way in which a gateway ends: none is left.
orphans() {
    CALLGATE_TEST_RUNS=200 cargo test --locked --package callgate-cli --test cli -- proxy::process::nothing_is_left
}

# Mistakes put into the guard for rmcp one at a time: a test has to fail for each.
rmcp_mistakes() {
    adapters/rmcp/mistakes.sh
}

# Mistakes put into the guards in Node one at a time: a test has to fail for each, and none without one.
node_mistakes() {
    bindings-node/test.sh setup
    (cd bindings-node && node scripts/mistakes.mjs)
}

# Guarded servers in Node under a client that sends anything, with a model of what may come of it.
node_fuzz() {
    bindings-node/test.sh setup
    local seed=${SEED:-$RANDOM}
    echo "seed $seed"
    (cd bindings-node && CALLGATE_FUZZ=${SEEDS:-500} CALLGATE_SEED=$seed node --test --test-reporter=spec .work/tests/test/fuzz.test.mjs)
}

# Mistakes put into the Python guards one at a time, in a copy of the installed package: a test has to fail for each.
python_mistakes() {
    bindings-python/test.sh setup
    bindings-python/mistakes.py
}

# Clients that send anything to each Python guard, beside a model of what may come of it.
python_fuzz() {
    bindings-python/test.sh setup
    local name seed=${SEED:-$RANDOM}
    echo "seed $seed"
    for name in mcp2 mcp1; do
        CALLGATE_FUZZ=${SEQUENCES:-2000} CALLGATE_FUZZ_SEED=$seed \
            "bindings-python/.test/$name/bin/python" -P -m pytest -p no:cacheprovider -n 2 bindings-python/tests/test_fuzz.py
    done
}

# The SDKs' own clients, each against every guard, over stdio and streamable HTTP.
clients() {
    bindings-python/test.sh setup
    bindings-node/test.sh setup
    tests/clients.py --write all
    tests/results.py
}

checks=("$@")
[ $# -gt 0 ] || checks=(dependencies msrv interface interleavings differ stricter slow relayed relay_mistakes aws miri orphans rmcp_mistakes python_mistakes python_fuzz node_mistakes node_fuzz clients coverage mutants)
for check in "${checks[@]}"; do
    echo "== $check"
    "$check"
done
