"""Decides a stream of calls, as `callgate eval --calls - --format json` does: `decide.py POLICY < CALLS > DECISIONS`."""

import datetime
import json
import sys

import callgate

clock = callgate.ManualClock(0)
engine = callgate.Engine.from_file(sys.argv[1], clock=clock)
for line in sys.stdin:
    # The arguments stay the text that they are: a key that stands twice must be seen.
    head, args = line.rstrip("\n").removesuffix("}").split(', "args": ', 1)
    call = json.loads(head + "}")
    clock.set(datetime.datetime.fromisoformat(call["at"].replace("Z", "+00:00")).timestamp())
    print(engine.evaluate_json(call["tool"], args, call["identity"]).to_json())
