"""Stops the desk's whole AWS and starts it again with what it kept, while the vendors go on."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from local import aws, processes
from local.processes import Process
from local.stack import LOCAL, PROCESSES_FILE, TEMPORARY, Stack
from operate.installation import Installation
from operate.replay import Span, publish_again

STATE = LOCAL / "state"
KEPT = ("BatchSize", "FilterCriteria", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds")
# More than the relay is ever behind here: what is told twice changes nothing.
BEHIND = timedelta(seconds=60)
KEEPS_WITHIN_SECONDS, READY_SECONDS = 60.0, 60


def restart(stack: Stack, at: Installation, away_seconds: float) -> tuple[Stack, int]:
    """The stack as it is afterwards, and how many events were given to the bus again.

    MiniStack keeps tables, queues, rules and functions, but no records of a table's stream; it keeps how far the stream
    was read, so that after a restart it skips as many new records. So the stream is read anew from its beginning, and
    what the relay had not told yet is told by `operate`'s replay from the table.
    """
    known, begun = processes.remembered(PROCESSES_FILE), datetime.now(UTC) - BEHIND
    _end_politely(known["ministack"])
    time.sleep(away_seconds)
    port = int(stack.aws_endpoint_url.rpartition(":")[2])
    ministack = aws.start_ministack(port, folder=TEMPORARY, log=_next_log(), enforce_iam=True, state=STATE)
    processes.remember(PROCESSES_FILE, known | {"ministack": ministack})
    ready = f"{stack.aws_endpoint_url}/_ministack/health"
    aws.wait_for("MiniStack", lambda: aws.answers(ready), ministack, wait_seconds=READY_SECONDS)
    _read_the_stream_anew(stack.boto("lambda"))
    told = publish_again(at, Span(begun, datetime.now(UTC)), None)
    return replace(stack, pids=stack.pids | {"ministack": ministack.pid}), told


def _end_politely(ministack: Process) -> None:
    """Waits until everything is written down, however busy the machine is; its workers may outlive it a little."""
    os.kill(ministack.pid, signal.SIGTERM)
    deadline = time.monotonic() + KEEPS_WITHIN_SECONDS
    while processes.is_alive(ministack):
        if time.monotonic() > deadline:
            raise aws.AwsFailed(f"MiniStack did not keep what it knew within {KEEPS_WITHIN_SECONDS:.0f} s")
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.killpg(ministack.pid, signal.SIGKILL)


def logs() -> list[Path]:
    """What MiniStack wrote, one file for each time that it was started."""
    return sorted(LOCAL.glob("ministack*.log"))


def forget() -> None:
    """Nothing of an earlier run is left."""
    shutil.rmtree(STATE, ignore_errors=True)
    for path in logs():
        path.unlink()


def _next_log() -> Path:
    return LOCAL / f"ministack-{len(logs())}.log"


def _read_the_stream_anew(functions: Any) -> None:
    """By another mapping with the same settings: a new one starts at the stream's beginning."""
    mappings = functions.list_event_source_mappings()["EventSourceMappings"]
    mapping = next(one for one in mappings if "/stream/" in one["EventSourceArn"])
    settings = {name: mapping[name] for name in KEPT if name in mapping}
    functions.delete_event_source_mapping(UUID=mapping["UUID"])
    functions.create_event_source_mapping(
        EventSourceArn=mapping["EventSourceArn"],
        FunctionName=mapping["FunctionArn"],
        StartingPosition="TRIM_HORIZON",
        **settings,
    )
