#!/usr/bin/env bash
# Builds the package as it is released, and the floors of bench/native, and measures it beside them and its peers. Sets up all it
# needs under bindings-python/.bench, which git ignores. Arguments go to evaluate.py: bench/run.sh --json result.json
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
work=$PWD/.bench
python=${PYTHON:-$(command -v python3.11 || command -v python3)}
export PIP_DISABLE_PIP_VERSION_CHECK=1

[ -d "$work/env" ] || "$python" -m venv "$work/env"
"$work/env/bin/pip" install -q maturin==1.16.0 -r bench/requirements.txt
rm -rf "$work/dist"
for manifest in Cargo.toml bench/native/Cargo.toml; do
  "$work/env/bin/maturin" build -q --profile dist --locked -m "$manifest" -i "$work/env/bin/python" -o "$work/dist"
done
"$work/env/bin/pip" install -q --no-index --no-deps --force-reinstall "$work"/dist/*.whl
bench=$PWD/bench/evaluate.py
cd "$here"
"$work/env/bin/python" "$bench" "$@"
