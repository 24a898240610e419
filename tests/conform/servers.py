"""The servers that know what a vendor accepts: steady with its own OpenAPI file, and Stripe's own stripe-mock."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local import aws
from local.processes import spawn, stop

# https://www.npmjs.com/package/@stdy/cli and https://github.com/stripe/stripe-mock
STEADY = "@stdy/cli@0.22.2"
STRIPE_MOCK = "github.com/stripe/stripe-mock@v0.203.0"


class NotInstalled(Exception):
    """A server could not be had; says which, and why."""


def install_steady(into: Path) -> Path:
    """steady itself, without the Node script around it, which would leave it behind when it is stopped."""
    folder = into / f"steady-{STEADY.rpartition('@')[2]}"
    program = "node_modules/@stdy/cli-*/bin/steady"
    if not list(folder.glob(program)):
        folder.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-fund", "--no-audit", STEADY])
    if not (found := list(folder.glob(program))):
        raise NotInstalled(f"{STEADY} has no build for this machine")
    return found[0]


def install_stripe_mock(into: Path) -> Path:
    folder = into / f"stripe-mock-{STRIPE_MOCK.rpartition('@')[2]}"
    if not (folder / "stripe-mock").exists():
        _run(["go", "install", STRIPE_MOCK], GOBIN=str(folder))
    return folder / "stripe-mock"


@contextmanager
def steady(program: Path, spec: Path, log: Path) -> Iterator[str]:
    """steady with one file; it answers every request and says in headers what is wrong with it."""
    formats = [f"--validator-{part}-format=brackets" for part in ("form-array", "form-object", "query-object")]
    port = aws.free_port()
    with _serving("steady", [str(program), "--log=false", *formats, "--port", str(port), str(spec)], port, log) as url:
        yield url


@contextmanager
def stripe_mock(program: Path, log: Path) -> Iterator[str]:
    port = aws.free_port()
    hosts = ["-http-addr", f"127.0.0.1:{port}", "-https-addr", "127.0.0.1:0"]
    with _serving("stripe-mock", [str(program), *hosts], port, log) as url:
        yield url


@contextmanager
def _serving(name: str, command: Sequence[str], port: int, log: Path) -> Iterator[str]:
    process = spawn(command, log=log, env=aws.clean_environment(), cwd=log.parent)
    try:
        aws.wait_for(name, lambda: _listens(port), process, wait_seconds=30)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop([process])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def _run(command: Sequence[str], **environment: str) -> None:
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInstalled(f"{' '.join(command)} failed: {done.stderr.strip()[-400:]}")
