#!/usr/bin/env bash
# What `action.yml` runs: installs the command from npm, and runs tests of policies.
# In: CALLGATE_PATHS, one a line; CALLGATE_VERSION and CALLGATE_MIN_COVERAGE, which may be empty; a runner's RUNNER_TEMP and
# GITHUB_STEP_SUMMARY. Out: results for people on standard output, as Markdown in the summary; the exit status of `callgate test`.
# Runs in the Bash 3.2 of macOS, too.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

version=$CALLGATE_VERSION
if [ -z "$version" ]; then
    version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$here/../bindings-node/package.json")
fi
folder=$RUNNER_TEMP/callgate
mkdir -p "$folder"
npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error "callgate@$version" >&2
callgate=$folder/node_modules/.bin/callgate

options=()
if [ -n "$CALLGATE_MIN_COVERAGE" ]; then options+=(--coverage "--min=$CALLGATE_MIN_COVERAGE"); fi
options+=(--)
while IFS= read -r path; do
    if [ -n "$path" ]; then options+=("$path"); fi
done <<< "$CALLGATE_PATHS"

status=0
"$callgate" test "${options[@]}" || status=$?
# The same once more, which takes milliseconds. That it failed is known.
"$callgate" test --format=markdown "${options[@]}" 2> "$folder/said" > "$folder/summary" || true
# Where nothing could be run there is no report: what the command said is the summary.
if [ ! -s "$folder/summary" ]; then
    { echo "### ❌ Policy tests: not run"; echo; sed 's/^/    /' "$folder/said"; } > "$folder/summary"
fi
cat "$folder/summary" >> "$GITHUB_STEP_SUMMARY"
exit "$status"
