"""Only a worker of MiniStack's that works is killed: not one that waits, nor anybody else's process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import workers
from tests.chaos.workers import kill_at_work

WAITS = "import sys; sys.stdin.read()"
WORKS = "import time\nwhile True: time.sleep(0.01)"
PATIENCE_SECONDS = 1.0


class Processes:
    """Children of this process, which end with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def worker(self, function: str, does: str) -> subprocess.Popen[bytes]:
        """Runs as MiniStack runs a worker."""
        home = self.folder / f"ministack-lambda-dealdesk-local-{function}Function-16A8A59EE3BFD-t4_b1cjl"
        home.mkdir()
        script = home / "_worker.py"
        script.write_text(does)
        return self.stranger(str(script))

    def stranger(self, *what: str) -> subprocess.Popen[bytes]:
        self.started.append(subprocess.Popen([sys.executable, *what], stdin=subprocess.PIPE))
        return self.started[-1]


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    monkeypatch.setattr(workers, "STARTS_FOR_SECONDS", 0.5)
    ours = Processes(tmp_path)
    yield ours
    for process in ours.started:
        process.kill()
        process.communicate()


def kill(function: str, head: int | None = None) -> str | None:
    return kill_at_work(head or os.getpid(), [function], milliseconds=5, patience_seconds=PATIENCE_SECONDS)


def test_a_worker_is_killed_while_it_works(processes: Processes) -> None:
    worker = processes.worker("PostInvoice", WORKS)

    assert kill("PostInvoice") == "PostInvoice"
    assert worker.wait(timeout=5) == -signal.SIGKILL


def test_a_worker_that_waits_is_left_alone(processes: Processes) -> None:
    worker = processes.worker("PostInvoice", WAITS)

    assert kill("PostInvoice") is None
    assert worker.poll() is None


def test_other_functions_and_other_peoples_processes_are_left_alone(processes: Processes) -> None:
    other = processes.worker("ReadCrm", WORKS)
    stranger = processes.stranger("-c", WORKS)

    assert kill("PostInvoice") is None
    assert kill("ReadCrm", head=stranger.pid) is None
    assert (other.poll(), stranger.poll()) == (None, None)
