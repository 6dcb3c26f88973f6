#!/usr/bin/env bash
# Builds the wheel, installs it in empty environments, and runs every test of the Python package there. Sets up all it
# needs under bindings-python/.test, which git ignores. Run from anywhere: bindings-python/test.sh, or `bindings-python/test.sh setup` to stop there.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-$(command -v python3.11 || command -v python3)}
work=$PWD/.test
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
target=$(cd .. && cargo metadata --format-version 1 --no-deps --locked | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')
mkdir -p "$work"

# An environment with what a requirements file names; kept until that changes.
environment() {
  local name=$1; shift
  local stamp=$work/$name/.installed
  if [ "$(cat "$stamp" 2>/dev/null)" != "$*$(cat "${@##-*}" 2>/dev/null)" ]; then
    rm -rf "${work:?}/$name"
    "$python" -m venv "$work/$name"
    if [ $# -gt 0 ]; then "$work/$name/bin/pip" install -q "$@"; fi
    printf '%s' "$*$(cat "${@##-*}" 2>/dev/null)" >"$stamp"
  fi
}

../stores/redis/setup.sh

say() { printf '\n== python: %s\n' "$*"; }

say "build the wheel and the source distribution"
environment tools maturin==1.16.0
rm -rf "$work/dist"
../scripts/command.sh dev
"$work/tools/bin/maturin" build -q --locked -i "$work/tools/bin/python" -o "$work/dist"
"$work/tools/bin/maturin" sdist -o "$work/dist" 2> "$work/sdist.log" || { cat "$work/sdist.log" >&2; exit 1; }
# The source distribution holds all that it takes to build it.
rm -rf "$work/sdist"
mkdir "$work/sdist"
# `m`: Cargo looks at times, and those in the archive are the same each time.
tar -xzmf "$work"/dist/*.tar.gz -C "$work/sdist" --strip-components 1
cargo check -q --offline --manifest-path "$work/sdist/bindings-python/Cargo.toml" --target-dir "$target"
wheel=$(ls "$work"/dist/*.whl)
case $wheel in *-cp310-abi3-*) ;; *) echo "not an abi3 wheel: $wheel" >&2; exit 1 ;; esac

say "the quick start in an empty environment"
rm -rf "$work/empty"
"$python" -m venv "$work/empty"
"$work/empty/bin/pip" install -q --no-index "$wheel"
# pytest from outside: the environment holds the wheel and nothing else.
environment mcp2 -r tests/requirements-mcp2.txt
environment mcp1 -r tests/requirements-mcp1.txt
QUICKSTART_PYTHON=$work/empty/bin/python "$work/mcp2/bin/python" -m pytest tests/test_readme.py tests/test_command.py

environment fastmcp2 -r tests/requirements-fastmcp2.txt
environment fastmcp3 -r tests/requirements-fastmcp3.txt
environment pytest8 -r tests/requirements-pytest8.txt
for name in mcp2 mcp1 fastmcp2 fastmcp3 pytest8; do
  "$work/$name/bin/pip" install -q --no-index --no-deps --force-reinstall "$wheel"
done

if [ "${1:-}" = setup ]; then exit; fi

say "types"
mypy="$work/mcp2/bin/python -m mypy"
(cd "$work" && $mypy --config-file ../pyproject.toml -p callgate)
(cd "$work" && "$work/mcp2/bin/python" -m mypy.stubtest callgate --mypy-config-file ../pyproject.toml)
$mypy ../examples/python/{server,metrics}.py
MYPYPATH=tests:tests/servers $mypy tests/*.py tests/servers/{behaviour,everything,fastmcp4,http_*,mcp2_*}.py

say "conformance, values, engine"
if [ -z "${CALLGATE_PAIRS:-}" ] || [ -z "${CALLGATE_RUST_DECISIONS:-}" ]; then
  (cd .. && cargo build -q --locked -p callgate-cli -p callgate-tests --bin callgate --bin pairs --bin decisions)
  CALLGATE_PAIRS=$work/pairs.jsonl CALLGATE_RUST_DECISIONS=$work/decisions-rust.jsonl
  "$target/debug/pairs" --count "${CALLGATE_PAIRS_MIN:-100000}" --seed "${CALLGATE_PAIRS_SEED:-1}" >"$CALLGATE_PAIRS"
  "$target/debug/decisions" >"$CALLGATE_RUST_DECISIONS"
fi
export CALLGATE_PAIRS CALLGATE_DECISIONS=$work/decisions-python.jsonl
# `-P`: what is tested is the installed wheel, not the sources beside the tests.
"$work/mcp2/bin/python" -P -m pytest -p no:cacheprovider tests/test_{conformance,pairs,values,engine,callbacks,known,lifecycle,risk,stack,redis,sqlite,store}.py
"$work/mcp2/bin/python" tests/compare.py "$CALLGATE_DECISIONS" "$CALLGATE_RUST_DECISIONS"

for name in mcp2 pytest8; do
  say "tests of policies, by $("$work/$name/bin/python" -m pytest --version)"
  "$work/$name/bin/python" -P -m pytest -p no:cacheprovider tests/test_pytest.py
done

say "adapters, the proxy and HTTP, by the official SDK 2.x"
"$work/mcp2/bin/python" -P -m pytest -p no:cacheprovider -n 2 tests/test_{adapters,approvals,connecting,fuzz,lists,locks,nested,recipes,records,requests,results,rounds,streams,streams_callers,streams_requests,guards,arguments,misuse,published,recorded,forwarding,http}.py
say "adapters, the proxy and HTTP, by the official SDK 1.x"
"$work/mcp1/bin/python" -P -m pytest -p no:cacheprovider -n 2 tests/test_{adapters,approvals,connecting,fuzz,lists,locks,records,requests,results,streams,streams_callers,streams_requests,guards,arguments,misuse,recorded,forwarding,http}.py
for major in 2 3; do
  say "servers of fastmcp $major"
  "$work/fastmcp$major/bin/python" -P -m pytest -p no:cacheprovider tests/test_fastmcp_older.py
done
say "the SDKs' own clients"
../tests/clients.py mcp1:mcp1 mcp1:mcp1-streams mcp2:mcp2 mcp2:mcp2-streams fastmcp2:fastmcp2 fastmcp3:fastmcp3 fastmcp4:fastmcp4 mcp2:gateway
