"""A guarded server as a program that serves scenarios of `spec/guards`, for clients of any SDK: what `tests/clients.py` runs.

    scenario_server.py GUARD JOBS          every job over streamable HTTP; a JSON list of their URLs is printed
    scenario_server.py GUARD JOBS SOCKET   each job over stdio, for the clients of `scenario_stdio.py SOCKET NUMBER`

In: a file of jobs, a JSON list, each with a `scenario` and a path `host`. There the program listens on a unix socket for what happens on the
server's side: a step of the scenario as JSON, one line a connection, and a line in answer.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from guarded_http import served
from hosted import Hosted
from line import Raw
from mcp.server.stdio import stdio_server


async def hosts(hosted: Hosted, path: str, tasks: anyio.abc.TaskGroup) -> None:
    """Takes steps of the host, until the tasks end."""

    async def take(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            said = b""
            while not said.endswith(b"\n"):
                said += await stream.receive()
            try:
                answer = await answered(hosted, json.loads(said))
            except Exception as error:
                answer = {"failed": f"{type(error).__name__}: {error}"}
            # A client may not wait for the answer.
            with suppress(anyio.BrokenResourceError):
                await stream.send(json.dumps(answer).encode() + b"\n")

    listener = await anyio.create_unix_listener(path)
    tasks.start_soon(listener.serve, take)


async def answered(hosted: Hosted, step: Raw) -> Raw:
    if "begins" in step:
        hosted.identity = step["identity"] or hosted.known
        if step["begins"] is not None:
            hosted.begins(step["begins"])
    elif "began" in step:
        await hosted.began()
    elif "left" in step:
        await hosted.noticed()
    elif "finish" in step:
        hosted.finish(step["finish"])
    elif "reload" in step:
        hosted.reload(step["reload"])
    elif "change" in step:
        hosted.change(step["change"])
    elif "ran" in step:
        return {"ran": hosted.ran(step["ran"])}
    elif "used" in step:
        return {"used": hosted.used(step["used"])}
    elif hosted.kind == "store":
        await hosted.answer_in_store(step["filed"], "approve" in step)
    else:
        hosted.answer(step.get("approve") or step["refuse"], "approve" in step)
    # What comes of it here takes a few turns of the event loop.
    for _ in range(100):
        await anyio.sleep(0)
    return {}


async def serve(guard: str, job: Raw) -> None:
    hosted = Hosted(guard, job["scenario"])
    async with anyio.create_task_group() as tasks, hosted.guarded.lifespan():
        await hosts(hosted, job["host"], tasks)
        async with stdio_server() as (read, write):
            await hosted.guarded.serve(read, write)
        tasks.cancel_scope.cancel()


async def serve_http(guard: str, jobs: list[Raw]) -> None:
    """Until the input of this program ends."""
    async with anyio.create_task_group() as tasks, AsyncExitStack() as stack:
        urls = []
        for job in jobs:
            hosted = Hosted(guard, job["scenario"])
            await hosts(hosted, job["host"], tasks)
            urls.append(await stack.enter_async_context(served(hosted.guarded.app())))
        print(json.dumps(urls), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        # Clients may have left connections open.
        os._exit(0)


def serve_warm(guard: str, jobs: list[Raw], path: str) -> None:
    """Serves each job in a process of its own on the pipes that come with it, until the input of this program ends."""
    # Nobody waits for the processes of jobs.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while listener in (found := select.select([listener, sys.stdin], [], [])[0]) and sys.stdin not in found:
            connection, _ = listener.accept()
            number, pipes, _, _ = socket.recv_fds(connection, 16, 3)
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for standard, pipe in enumerate(pipes):
                    os.dup2(pipe, standard)
                    os.close(pipe)
                listener.close()
                anyio.run(serve, guard, jobs[int(number)])
                os._exit(0)
            connection.close()
            for pipe in pipes:
                os.close(pipe)


def main() -> None:
    guard, file, *path = sys.argv[1:]
    jobs: Any = json.loads(Path(file).read_text("utf-8"))
    if path:
        serve_warm(guard, jobs, path[0])
    else:
        anyio.run(serve_http, guard, jobs)


main()
