#!/usr/bin/env bash
# Measures `callgate proxy` beside what else stands between a client and a server over stdio. Sets up all it needs under benches/.gateway,
# which git ignores. In: BENCH_JSON, BENCH_QUICK. Out: records.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/benches/.gateway
python=${PYTHON:-$(command -v python3.11 || command -v python3)}
export PIP_DISABLE_PIP_VERSION_CHECK=1
target=$(cargo metadata --format-version 1 --no-deps --locked | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')

# mcp-proxy wants another generation of the SDK than fastmcp.
for name in fastmcp mcp-proxy maturin; do
    [ -d "$work/$name" ] || "$python" -m venv "$work/$name"
    "$work/$name/bin/pip" install -q "$(grep "^$name==" benches/gateway/requirements.txt)"
done
profile=${PROFILE:-dist}
cargo build --quiet --locked --profile "$profile" -p callgate-cli --bin callgate
cargo build --quiet --locked --release -p callgate-benches --bin gateway
if [ -z "${WHEEL:-}" ]; then
    rm -rf "$work/dist"
    "$work/maturin/bin/maturin" build -q --profile dist --locked -m bindings-python/Cargo.toml -i "$python" -o "$work/dist"
    WHEEL=$(ls "$work"/dist/*.whl)
fi
"$work/fastmcp/bin/pip" install -q --no-index --no-deps --force-reinstall "$WHEEL"

state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
policy=benches/gateway/policy.yaml
"$target/release/gateway" \
    "callgate proxy" "$target/$profile/callgate proxy -p $policy --name bench --store memory --audit $state/audit.jsonl --" \
    "mcp-proxy, on both sides" "benches/gateway/mcp_proxy.sh $work/mcp-proxy/bin/mcp-proxy" \
    "fastmcp's proxy with the guard" "$work/fastmcp/bin/python benches/gateway/fastmcp_proxy.py $policy"
