#!/usr/bin/env bash
# A runaway client in front of a real server, behind `callgate proxy`; what it did is in the audit records.
#
# In: nothing set up but Rust, Python and Node; CALLGATE names a binary to use instead of building one. Out: the client's answers, and the
# records; progress on standard error.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/demo/.work/proxy
python=$(command -v python3.11 || command -v python3)
server=$PWD/bindings-node/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js

if [ -z "${CALLGATE:-}" ]; then
    demo/build.sh --command
    CALLGATE=$(demo/build.sh --target)/callgate
fi
if [ ! -f "$server" ]; then (cd bindings-node && npm ci --silent); fi
rm -rf "$work"
mkdir -p "$work/notes"
echo TOKEN=secret > "$work/notes/.env"
export CALLGATE_STATE_DIR=$work/state

printf '\n== A client in a loop, and a server of files behind `callgate proxy`\n'
sed 's/^/   /' demo/filesystem.yaml
echo '$ callgate proxy -p demo/filesystem.yaml -- node server-filesystem notes'
"$python" demo/runaway.py "$work/notes" "$CALLGATE" proxy -p demo/filesystem.yaml -- node "$server" "$work/notes" 2> "$work/said" || {
    cat "$work/said" >&2
    exit 1
}
printf '\n   The records of the first and of the last file that it wrote, or would have:\n'
grep '"name":"write_file"' "$work/state/audit/filesystem.jsonl" | sed -n '1p;$p'
printf '\n$ callgate status\n'
"$CALLGATE" status
