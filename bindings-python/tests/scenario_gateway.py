"""`callgate proxy` in front of a server that is not guarded, as a program that serves a scenario: what `scenario_server` is for guards.

    scenario_gateway.py JOBS NUMBER

In: a file of jobs, a JSON list, each with a `scenario`, a path `host`, and the server's command `behind` with its own `host_behind`. Out: the
gateway, on this program's own input and output. On the unix socket `host` it takes steps of the host: policies and answers are files and
commands, as an operator has them, and the rest is the server's.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import callgate
from callgate import _command
from conftest import policy_text
from hosted import listed_by, lock_of

Raw = dict[str, Any]


class Gateway:
    def __init__(self, job: Raw, folder: Path) -> None:
        scenario = job["scenario"]
        self._folder = folder
        self._server = job["host_behind"]
        self._audit = folder / "audit.jsonl"
        self._name = scenario.get("options", {}).get("server_name", "tests")
        self._store = f"sqlite://{folder}/counters.db"
        self._reloads = 0
        (folder / "policy.yaml").write_text(policy_text(scenario["policy"]))
        identity = scenario.get("identity", "local")
        about = {"--name": self._name, "--identity": identity if isinstance(identity, str) else json.dumps(identity), "--store": self._store}
        about |= {"--policy": str(folder / "policy.yaml"), "--audit": str(self._audit)}
        if "lock" in scenario:
            listed = [tool for tool in listed_by("none", scenario) if tool["name"] in scenario["lock"]]
            (folder / "callgate.lock").write_text(lock_of(self._name, listed), "utf-8")
            about |= {"--lock": str(folder / "callgate.lock"), "--on-drift": scenario.get("options", {}).get("on_drift", "hide")}
        self.command = [str(_command.find()), "proxy", *(part for option in about.items() for part in option), "--", *job["behind"]]

    def host(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._take, args=[connection], daemon=True).start()

    def _take(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rw") as stream:
            step = json.loads(stream.readline())
            try:
                answer = self._answer(step)
            except Exception as error:
                answer = {"failed": f"{type(error).__name__}: {error}"}
            stream.write(json.dumps(answer) + "\n")
            try:
                stream.flush()
            except OSError:
                pass  # the client does not wait for it

    def _answer(self, step: Raw) -> Raw:
        if "reload" in step:
            self._reload(step["reload"])
        elif "used" in step:
            return {"used": self._used(step["used"])}
        elif "approve" in step or "refuse" in step:
            answer = ["approve" if "approve" in step else "deny", step["filed"]]
            about = ["--by", "ann", "--store", self._store, "--namespace", self._name]
            subprocess.run([str(_command.find()), "approvals", *answer, *about], check=True, stdout=subprocess.DEVNULL)
        elif "left" not in step:
            return self._server_has(step)
        return {}

    def _server_has(self, step: Raw) -> Raw:
        with socket.socket(socket.AF_UNIX) as server:
            # The gateway starts it; until then nobody listens.
            while server.connect_ex(self._server) != 0:
                time.sleep(0.01)
            with server.makefile("rw") as stream:
                stream.write(json.dumps(step) + "\n")
                stream.flush()
                answer: Raw = json.loads(stream.readline())
        return answer

    def _reload(self, policy: object) -> None:
        new = self._folder / "next.yaml"
        new.write_text(policy_text(policy))
        new.rename(self._folder / "policy.yaml")
        self._reloads += 1
        # It is in force once the gateway says so.
        for _ in range(1000):
            if sum(json.loads(line)["kind"] == "reload" for line in self._audit.read_text().splitlines()) == self._reloads:
                return
            time.sleep(0.01)
        raise AssertionError("the policy is not in force")

    def _used(self, amounts: Raw) -> Raw:
        store = callgate.Store(self._store).namespaced(self._name)
        counters = callgate.Engine.from_file(self._folder / "policy.yaml", store=store).counters()
        held = {counter.entry: str(counter.used) for counter in counters}
        return {tool: held.get(tool, "0") for tool in amounts}


def main() -> None:
    jobs, number = sys.argv[1:]
    job = json.loads(Path(jobs).read_text("utf-8"))[int(number)]
    with TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        gateway = Gateway(job, Path(folder))
        # A client may start its server twice: once to ask which revisions it speaks.
        Path(job["host"]).unlink(missing_ok=True)
        listener.bind(job["host"])
        listener.listen()
        threading.Thread(target=gateway.host, args=[listener], daemon=True).start()
        state = {name: folder for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
        status = subprocess.run(gateway.command, env={**os.environ, **state}).returncode
    sys.exit(status)


main()
