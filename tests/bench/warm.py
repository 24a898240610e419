"""What handling one accepted message costs a warm function, against the bare transaction that it must make.

Both go through botocore up to the wire, where the answers that were recorded from a journey are given again. Run
as a script in a process of its own, with the path of a recording, it prints the figures as JSON.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session

from tests.bench.figures import WEBHOOKS, Figure

ROOT = Path(__file__).resolve().parents[2]
ROUNDS, CALLS = 15, 100
LIMIT = 3


def measure(recording: Path, path: list[Path]) -> list[Figure]:
    """Runs this file on the recording, with the function's packages on its `path` and no test in memory."""
    environment = {
        "PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT])),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    command = [sys.executable, __file__, str(recording)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found, function = json.loads(done.stdout), recording.stem
    limit = LIMIT if function in WEBHOOKS else None
    return [
        Figure(f"warm.{function}.cpu", found["handled"] * 1e6, "us", "bare transaction", found["ratio"], limit),
        Figure(f"table_calls.{function}.accepted", found["accepted"], "calls", limit=2),
        Figure(f"table_calls.{function}.replayed", found["replayed"], "calls", limit=1),
    ]


def bare_seconds(figures: list[Figure]) -> float:
    """What the bare transaction takes, by the figures that were measured against it."""
    return statistics.median(f.value / f.ratio / 1e6 for f in figures if f.name.startswith("warm.") and f.ratio)


class Wire:
    """Answers instead of the table: the read with what stood there, every write with success."""

    def __init__(self, read: str) -> None:
        self.read = read.encode()
        self.calls: list[str] = []

    def send(self, _session: URLLib3Session, request: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        operation = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        self.calls.append(operation)
        body = self.read if operation == "BatchGetItem" else b"{}"
        raw = SimpleNamespace(stream=lambda: iter([body]))
        return AWSResponse(request.url, 200, {"content-type": "application/x-amz-json-1.0"}, raw)


def main(path: str) -> None:
    given = json.loads(Path(path).read_text())
    (_, _, read), (_, write, _) = given["table"]
    os.environ.update(given["environment"])
    wire = Wire(read)
    URLLib3Session.send = lambda session, request: wire.send(session, request)
    with redirect_stdout(io.TextIOWrapper(open(os.devnull, "wb"))):
        handle = _handler(given)
        accepted = _calls(wire, handle)
        wire.read = _with_claim(read, write)
        replayed = _calls(wire, handle)
        wire.read = read.encode()
        bare = _bare(json.loads(write))
        figures = _compare(bare, handle)
    print(json.dumps(figures | {"accepted": accepted, "replayed": replayed}))


def _handler(given: dict[str, Any]) -> Callable[[], Any]:
    import app

    from dealdesk.edge import aws, clock

    moment = datetime.fromisoformat(given["now"])
    clock.now = lambda: moment
    kept = given["secrets"]
    aws.clients["secretsmanager"] = SimpleNamespace(get_secret_value=lambda SecretId: {"SecretString": kept[SecretId]})
    event, context = given["event"], SimpleNamespace(aws_request_id="bench")

    def handle() -> Any:
        answer = app.handler(event, context)
        assert answer["statusCode"] == 200, answer
        return answer

    handle()
    return handle


def _bare(request: dict[str, Any]) -> Callable[[], Any]:
    client = botocore.session.get_session().create_client("dynamodb")
    return lambda: client.transact_write_items(**request)


def _calls(wire: Wire, handle: Callable[[], Any]) -> int:
    wire.calls.clear()
    handle()
    return len(wire.calls)


def _with_claim(read: str, write: str) -> bytes:
    """The table's answer to the read once the message has been handled."""
    answer = json.loads(read)
    puts = [item["Put"] for item in json.loads(write)["TransactItems"]]
    claims = [put for put in puts if put["Item"]["sk"] == {"S": "CLAIM"}]
    answer["Responses"] = {put["TableName"]: [put["Item"]] for put in claims}
    return json.dumps(answer).encode()


def _compare(bare: Callable[[], Any], handle: Callable[[], Any]) -> dict[str, float]:
    """CPU seconds a call of each, and the median over the rounds of their ratio."""
    pairs = [(_cpu(bare), _cpu(handle)) for _ in range(ROUNDS + 2)][2:]
    return {
        "bare": statistics.median(pair[0] for pair in pairs),
        "handled": statistics.median(pair[1] for pair in pairs),
        "ratio": statistics.median(pair[1] / pair[0] for pair in pairs),
    }


def _cpu(call: Callable[[], Any]) -> float:
    begun = time.thread_time()
    for _ in range(CALLS):
        call()
    return (time.thread_time() - begun) / CALLS


if __name__ == "__main__":
    main(sys.argv[1])
