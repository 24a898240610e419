"""The background processes of the local system: how they start, which are ours, how they end."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Process:
    """A background process and its birth mark, so that a reused pid is never taken for ours."""

    pid: int
    born: str


def spawn(command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path) -> Process:
    """Start `command` as the head of its own process group, with output to `log`."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    child.returncode = 0  # stop() reaps it; without this, Popen warns that it still runs
    return Process(child.pid, _birth(child.pid))


def is_alive(process: Process) -> bool:
    """Whether this very process runs: a zombie, or another one under its pid, does not count."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return bool(process.born) and _birth(process.pid) == process.born


def stop(processes: Sequence[Process]) -> None:
    """End each process group, politely and then not; those that are not ours any more are left alone."""
    ours = [process for process in processes if is_alive(process)]
    for process in ours:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(is_alive(process) for process in ours) and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in ours:
        _signal(process, signal.SIGKILL)  # also the workers, which may outlive the head of their group
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, 0)


def remember(path: Path, processes: Mapping[str, Process]) -> None:
    """Write down what was started, before anything can go wrong with it."""
    path.write_text(json.dumps({name: asdict(process) for name, process in processes.items()}))


def remembered(path: Path) -> dict[str, Process]:
    """What `remember` wrote; nothing when there is no such file."""
    if not path.exists():
        return {}
    return {name: Process(**fields) for name, fields in json.loads(path.read_text()).items()}


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _birth(pid: int) -> str:
    """When the process was born, as the system tells it; empty for a zombie and for no process."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state == "Z" else fields[18]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return ""
    answer = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True)
    state, _, born = answer.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else born.strip()
