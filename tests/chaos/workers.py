"""The processes in which MiniStack runs the functions: which there are, when one works, and how it is killed."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Collection

import psutil

# MiniStack names the folder of a worker after its function, and CloudFormation the function after the template.
WORKER = re.compile(r"ministack-lambda-[a-z0-9-]+-(?P<function>[A-Za-z0-9]+)Function-[A-F0-9]+-[^/]*/_worker\.py$")
LOOK_EVERY_SECONDS, KNOWN_FOR_SECONDS = 0.003, 0.3
# A process that still imports its code would be taken for one that works.
STARTS_FOR_SECONDS = 5.0


def workers(head: int, functions: Collection[str]) -> dict[int, tuple[psutil.Process, str]]:
    """The grown children of the process `head` that run one of these functions, by their ids; no other is touched."""
    found = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(head).children():
            grown = time.time() - child.create_time() > STARTS_FOR_SECONDS
            if grown and (function := _runs(child)) in functions:
                found[child.pid] = child, function
    return found


def kill_at_work(head: int, functions: Collection[str], *, milliseconds: int, patience_seconds: float) -> str | None:
    """Waits until a worker of one of the functions wakes up and kills it (SIGKILL) so much later; says which it was.

    A worker that waits for its next event is not scheduled at all, so that its context switches show when it works.
    None if no function worked in time.
    """
    seen: dict[int, int] = {}
    deadline = time.monotonic() + patience_seconds
    while (now := time.monotonic()) < deadline:
        known, until = workers(head, functions), min(deadline, now + KNOWN_FOR_SECONDS)
        while time.monotonic() < until:
            for pid, (worker, function) in known.items():
                with contextlib.suppress(psutil.NoSuchProcess):
                    switches = sum(worker.num_ctx_switches())
                    if switches > seen.setdefault(pid, switches):
                        time.sleep(milliseconds / 1000)
                        worker.kill()
                        return function
            time.sleep(LOOK_EVERY_SECONDS)
    return None


def _runs(process: psutil.Process) -> str:
    found = WORKER.search(" ".join(process.cmdline()))
    return found["function"] if found else ""
