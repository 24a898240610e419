"""The whole desk on one machine: starts it, finds it again, talks to it, stops it."""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import urllib3

from local import aws, build, processes, tokens
from local.processes import Process

ROOT = Path(__file__).resolve().parents[1]
# A second system beside the one of `make up` has another folder of its own.
LOCAL = ROOT / os.environ.get("DEALDESK_LOCAL", ".local")
STACK_FILE, PROCESSES_FILE = LOCAL / "stack.json", LOCAL / "processes.json"
JWT_KEY, TEMPORARY, LOCK = LOCAL / "jwt_key.pem", LOCAL / "tmp", LOCAL / "lock"
MINISTACK_LOG, TWINS_LOG = LOCAL / "ministack.log", LOCAL / "twins.log"
TWINS_CONFIG, TWINS_READY = LOCAL / "twins.json", LOCAL / "twins.ready.json"
# The template's parameter that points at each twin.
TWIN_PARAMETERS = {
    "SalesforceUrl": "salesforce",
    "HubspotUrl": "hubspot",
    "DocusignOauthUrl": "docusign",
    "DropboxSignUrl": "dropbox_sign",
    "StripeUrl": "stripe",
    "PaypalUrl": "paypal",
    "QuickbooksUrl": "quickbooks",
    "QuickbooksOauthUrl": "quickbooks",
    "NetsuiteUrl": "netsuite",
    "SapUrl": "sap",
    "N8nUrl": "n8n",
}
# Minutes of a vendor's day are seconds here.
BOTH_CRMS = {"CrmSystems": "salesforce hubspot"}
QUICK = {"RetryBaseSeconds": "1", "SilentAfterSeconds": "5", "ChaseSchedule": "rate(1 minute)"}

Progress = Callable[[str], None]


def _silent(_step: str) -> None:
    """Tell nobody."""


class StackFailed(Exception):
    """The local system could not be started or found; says why and where to look, in one line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API or a twin said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Stack:
    """A running local system; the fields are those of `.local/stack.json`."""

    api_url: str
    aws_endpoint_url: str
    aws_region: str
    table_name: str
    event_bus_name: str
    twins: dict[str, str]
    secrets: dict[str, str]
    pids: dict[str, int]

    def boto(self, service: str) -> Any:
        """A botocore client of the local AWS."""
        return aws.client(service, self.aws_endpoint_url)

    def token(self, user: str, role: str, minutes: int = 60) -> str:
        """A bearer token that the API accepts."""
        return tokens.issue_token(JWT_KEY, user=user, role=role, minutes=minutes)

    def request(
        self,
        method: str,
        path: str,
        json: Any = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the API; every status is an answer, only a broken line raises."""
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        return call(method, self.api_url + path, json, {**authorization, **(headers or {})})

    def twin(self, name: str, path: str, method: str = "GET", json: Any = None) -> Any:
        """Ask a twin as its operator: GET `requests`, `state`, `deliveries`, or POST `act/…`, `faults`."""
        return call(method, f"{self.twins[name]}/_twin/{path}", json).json()


def start(progress: Progress = _silent, *, enforce_iam: bool = False, state: Path | None = None) -> Stack:
    """Start everything and return when all of it answers; a system that is up is returned as it is.

    With `enforce_iam` the functions may do only what the template's roles allow; `state` is where AWS keeps what it
    knows when it is stopped.
    """
    with _alone():
        if (running := find()) is not None:
            return running
        _stop()
        try:
            stack = _start(progress, enforce_iam, state)
            _write_whole(STACK_FILE, json.dumps(asdict(stack), indent=2))
            return stack
        except build.BuildFailed as failure:
            _stop()
            raise StackFailed(str(failure)) from failure
        except aws.AwsFailed as failure:
            _stop()
            raise StackFailed(f"{failure} (see {MINISTACK_LOG} and {TWINS_LOG.name} beside it)") from failure
        except BaseException:
            _stop()
            raise


def stop() -> None:
    """Stop what `start` started and nothing else; remove what only a running system needs."""
    with _alone():
        _stop()


def _stop() -> None:
    processes.stop(list(processes.remembered(PROCESSES_FILE).values()))
    for left in (STACK_FILE, PROCESSES_FILE, TWINS_READY, TWINS_CONFIG, JWT_KEY):
        left.unlink(missing_ok=True)
    shutil.rmtree(TEMPORARY, ignore_errors=True)


def find() -> Stack | None:
    """The running system, or None; a stack file whose system does not answer is no system."""
    if not STACK_FILE.exists():
        return None
    started = processes.remembered(PROCESSES_FILE).values()
    stack = Stack(**json.loads(STACK_FILE.read_text()))
    alive = bool(started) and all(processes.is_alive(process) for process in started)
    return stack if alive and aws.answers(f"{stack.api_url}/health") else None


@contextmanager
def running_stack(progress: Progress = _silent, *, enforce_iam: bool = False) -> Iterator[Stack]:
    """A running system for the time of the block; one that was up before stays up after."""
    was_up = find() is not None
    try:
        yield start(progress, enforce_iam=enforce_iam)
    finally:
        if not was_up:
            stop()


def call(
    method: str, url: str, json: Any = None, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """One HTTP request without retries, with `json` or raw bytes as its body."""
    content = {"json": json} if body is None else {"body": body}
    answer = _pool.request(method, url, headers=dict(headers or {}), retries=False, timeout=60, **content)
    return Answer(answer.status, answer.headers, answer.data)


_pool = urllib3.PoolManager(maxsize=32)


def _start(progress: Progress, enforce_iam: bool, state: Path | None) -> Stack:
    port = aws.free_port()
    endpoint_url, api_url = f"http://127.0.0.1:{port}", aws.api_url(port)
    template = build.read_template(ROOT / "template.yaml")
    with ThreadPoolExecutor(1) as pool:
        progress("packing the functions, starting AWS and the twins")
        packing = pool.submit(build.build, template, ROOT, LOCAL / "build")
        ministack = aws.start_ministack(port, folder=TEMPORARY, log=MINISTACK_LOG, enforce_iam=enforce_iam, state=state)
        started = {"ministack": ministack}
        processes.remember(PROCESSES_FILE, started)
        secrets = tokens.local_secrets(JWT_KEY)
        started["twins"] = _start_twins(api_url, secrets)
        processes.remember(PROCESSES_FILE, started)
        ready = f"{endpoint_url}/_ministack/health"
        aws.wait_for("MiniStack", lambda: aws.answers(ready), started["ministack"], wait_seconds=30)
        names = aws.store_secrets(endpoint_url, secrets)
        folders = packing.result()
    aws.wait_for("the twins", TWINS_READY.exists, started["twins"], wait_seconds=30)
    twins: dict[str, str] = json.loads(TWINS_READY.read_text())
    progress("creating the stack")
    outputs = aws.create_stack(endpoint_url, template, folders, _parameters(api_url, twins))
    progress("warming up the functions")
    aws.warm_up(endpoint_url, template, tokens.issue_token(JWT_KEY, user="warm-up", role="rep"))
    health = f"{api_url}/health"
    aws.wait_for("GET /health", lambda: aws.answers(health), started["ministack"], wait_seconds=20)
    return Stack(
        api_url=api_url,
        aws_endpoint_url=endpoint_url,
        aws_region=aws.REGION,
        table_name=outputs["TableName"],
        event_bus_name=outputs["EventBusName"],
        twins=twins,
        secrets=names,
        pids={name: process.pid for name, process in started.items()},
    )


def _start_twins(api_url: str, secrets: tokens.Secrets) -> Process:
    """One process for all vendors; it says in the ready file where each of them answers."""
    config = {
        "api_url": api_url,
        "ready_file": str(TWINS_READY),
        "vendors": tokens.what_vendors_know(secrets),
    }
    TWINS_CONFIG.touch(mode=0o600)
    TWINS_CONFIG.write_text(json.dumps(config, indent=2))
    command = [sys.executable, "-m", "local.twins", "--config", str(TWINS_CONFIG)]
    return processes.spawn(command, log=TWINS_LOG, env=aws.clean_environment(), cwd=ROOT)


def _parameters(api_url: str, twins: Mapping[str, str]) -> dict[str, str]:
    machine = "arm64" if os.uname().machine in ("arm64", "aarch64") else "x86_64"
    return {
        "Stage": aws.STAGE,
        "PythonRuntime": f"python3.{sys.version_info.minor}",
        "Architecture": machine,
        "SecretPrefix": aws.SECRET_PREFIX,
        "PublicUrl": api_url,
        **QUICK,
        **BOTH_CRMS,
        **{parameter: twins[name] for parameter, name in TWIN_PARAMETERS.items()},
    }


@contextmanager
def _alone() -> Iterator[None]:
    """One start or stop at a time in this checkout; the next one waits for it."""
    LOCAL.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees all of it or none."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text)
    unfinished.replace(path)
