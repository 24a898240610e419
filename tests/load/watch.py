"""What a look from outside shows while the desk works: how deep and old its queues are, and what the machine spends."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.stack import Stack, call

EVERY_SECONDS = 2.0
DEAD = "DeadLetters"


@dataclass(frozen=True, slots=True)
class Look:
    """All work queues at one moment, `at` seconds after the start; the oldest message's age in whole seconds."""

    at: float
    depth: int
    oldest_seconds: int
    deepest: str

    def as_json(self) -> dict[str, Any]:
        return {"at": self.at, "depth": self.depth, "oldest_seconds": self.oldest_seconds, "deepest": self.deepest}


@dataclass
class Watch:
    """Looks at the queues until the block ends, without receiving anything."""

    stack: Stack
    looks: list[Look] = field(default_factory=list)
    receives: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Watch:
        self._began, self._over = time.monotonic(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self.looks.append(self.look())

    def look(self) -> Look:
        waiting = {name: rows for name, rows in messages(self.stack).items() if DEAD not in name}
        depths = {name: len(rows) for name, rows in waiting.items()}
        sent = [row["SentTimestamp"] for rows in waiting.values() for row in rows]
        for rows in waiting.values():
            for row in rows:
                self.receives[row["MessageId"]] = max(self.receives.get(row["MessageId"], 0), row["ReceiveCount"])
        age = max(0, int(time.time()) - min(sent)) if sent else 0
        deepest = max(depths, key=lambda name: depths[name]) if sent else ""
        return Look(round(time.monotonic() - self._began, 1), sum(depths.values()), age, deepest)


def messages(stack: Stack) -> Mapping[str, list[dict[str, Any]]]:
    """What lies in each queue, by the name that template.yaml gives it; MiniStack shows it without receiving it."""
    answer = call("GET", f"{stack.aws_endpoint_url}/_ministack/sqs/messages").json()
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for regions in answer["messages"].values():
        for queues in regions.values():
            for url, rows in queues.items():
                found[url.rpartition("/")[2]] += rows
    return found


def is_quiet(stack: Stack) -> bool:
    return not any(rows for name, rows in messages(stack).items() if DEAD not in name)


def dead_letters(stack: Stack) -> dict[str, int]:
    return {name: len(rows) for name, rows in messages(stack).items() if DEAD in name and rows}


@dataclass(frozen=True, slots=True)
class Machine:
    """What the processes of the local system took so far: CPU seconds, and megabytes of memory now."""

    cpu_seconds: float
    megabytes: float


def machine(stack: Stack) -> Machine:
    """Of MiniStack with its workers and of the twins, without this process; read from /proc, so on Linux alone."""
    heads, tick, page = set(stack.pids.values()), os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    cpu = memory = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) in heads:
            cpu += sum(map(int, fields[11:15])) / tick
            memory += int(fields[21]) * page / 1e6
    return Machine(cpu, memory)
