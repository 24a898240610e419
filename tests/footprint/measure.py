"""The memory of a command: of its whole family of processes, at its highest moment.

Pages that several of them share count once (Linux: PSS; elsewhere what each has for itself).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

CORES = 2
MOST_MEGABYTES = 4_000
LOOK_EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Footprint:
    """Megabytes are millions of bytes; `cores` is CPU time over time."""

    command: str
    exit_code: int
    seconds: float
    megabytes: float
    processes: int
    cores: float

    def complaints(self) -> list[str]:
        """What is wrong with it; nothing as a rule."""
        failed = [f"`{self.command}` ended with {self.exit_code}"] if self.exit_code else []
        over = self.megabytes > MOST_MEGABYTES
        return failed + ([f"`{self.command}` took {self.megabytes:,.0f} MB, over {MOST_MEGABYTES:,}"] if over else [])

    def __str__(self) -> str:
        return (
            f"{self.command}: {self.megabytes:,.0f} MB in {self.processes} processes at most, "
            f"{self.cores:.1f} cores on average, {self.seconds:.0f} s"
        )


def measure(command: str) -> Footprint:
    """Runs it to its end with this process's own input and output."""
    began, before = time.monotonic(), os.times()
    megabytes, processes = 0.0, 0
    with _two_cores(), psutil.Popen(shlex.split(command)) as head:
        while head.poll() is None:
            family = _family(head)
            now = sum(_memory(process) for process in family) / 1e6
            if now > megabytes:
                megabytes, processes = now, len(family)
            time.sleep(LOOK_EVERY_SECONDS)
    seconds, after = time.monotonic() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Footprint(command, int(head.returncode), seconds, megabytes, processes, cpu / seconds)


@contextlib.contextmanager
def _two_cores() -> Iterator[None]:
    """What is started in the block inherits them. Only Linux can; elsewhere the command has all cores."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_of_them)[:CORES])
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def _family(head: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [head, *head.children(recursive=True)]
    return []


def _memory(process: psutil.Process) -> int:
    """In bytes; 0 for one that has just ended."""
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.uss))
    return 0
