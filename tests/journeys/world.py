"""The whole desk in one process: real handlers, a real table, real twins on loopback, a clock that can jump.

What AWS does in between (stream, rules, queues, redelivery) is done here, by the rules of template.yaml itself.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
import time_machine

from dealdesk.adapters.rows import bound_to
from dealdesk.edge import aws, secrets
from local.build import read_template
from local.tokens import local_secrets, what_vendors_know
from local.twins.server import Fault, RunningTwin, Twin, serve
from local.twins.town import build_town
from tests.table import TABLE

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"
API = "https://desk.test"
MOST_RECEIVES = 12


@dataclass
class Mail:
    """A webhook on its way from a twin to the desk."""

    url: str
    body: bytes
    headers: dict[str, str]


class Mailbox:
    """Takes the place of a twin's sender: webhooks wait here until the test lets them through."""

    def __init__(self) -> None:
        self.letters: list[Mail] = []

    def deliver(self, url: str, body: bytes, headers: dict[str, str]) -> None:
        self.letters.append(Mail(url, body, dict(headers)))

    def reset(self) -> None:
        self.letters.clear()

    def close(self) -> None:
        self.letters.clear()


@dataclass
class Waiting:
    """A message in a queue."""

    body: str
    receives: int = 0
    visible_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Queue:
    name: str
    messages: deque[Waiting] = field(default_factory=deque)
    dead: list[Waiting] = field(default_factory=list)


@cache
def template() -> dict[str, Any]:
    return dict(read_template(ROOT / "template.yaml")["Resources"])


def load(folder: str) -> ModuleType:
    """The function's module, loaded from its own folder and anew each time, as in a new execution environment."""
    path = ROOT / "functions" / folder
    own = [file.stem for file in path.glob("*.py") if file.stem != "app"]
    for name in own:
        sys.modules.pop(name, None)
    sys.path.insert(0, str(path))
    try:
        spec = importlib.util.spec_from_file_location(f"app_{folder}", path / "app.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path))
    return module


def is_work_queue(resource: dict[str, Any]) -> bool:
    return resource["Type"] == "AWS::SQS::Queue" and "RedrivePolicy" in resource["Properties"]


def queues_told_of(detail_type: str) -> Iterator[str]:
    """The queues whose rule lets an event of this type through."""
    for resource in template().values():
        if resource["Type"] == "AWS::Events::Rule":
            properties = resource["Properties"]
            if detail_type in properties["EventPattern"]["detail-type"]:
                yield properties["Targets"][0]["Arn"]["Fn::GetAtt"][0]


class World:
    def __init__(self, **overrides: str) -> None:
        self.template = template()
        self.overrides = overrides
        self.twins: dict[str, Twin] = {}
        self.running: list[RunningTwin] = []
        self.queues: dict[str, Queue] = {}
        self.modules: dict[str, ModuleType] = {}
        self.published: list[dict[str, Any]] = []
        self.log: list[tuple[str, dict[str, Any]]] = []
        self._relayed: set[tuple[str, str]] = set()

    # -- starting and stopping

    def __enter__(self) -> World:
        self._environment = patch.dict(os.environ, {"POWERTOOLS_TRACE_DISABLED": "true"})
        self._environment.start()
        self._travel = time_machine.travel(datetime.now(UTC), tick=True)
        self._clock = self._travel.start()
        self._dynamodb = boto3.client("dynamodb")
        self._make_secrets()
        self.queues = {name: Queue(name) for name, resource in self.template.items() if is_work_queue(resource)}
        aws.clients.update(events=SimpleNamespace(put_events=self._put_events), sqs=_Sqs(self))
        aws.clients["lambda"] = SimpleNamespace(invoke=self._invoke_directly)
        return self

    def __exit__(self, *_: object) -> None:
        for twin in self.running:
            twin.close()
        aws.clients.clear()
        bound_to.cache_clear()
        secrets.forget()
        self._travel.stop()
        self._environment.stop()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, **span: float) -> None:
        self._clock.shift(timedelta(**span))

    # -- AWS

    def _make_secrets(self) -> None:
        folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"dealdesk-{os.getpid()}-{threading.get_ident()}"
        folder.mkdir(exist_ok=True)
        self.jwt_key = folder / "jwt_key.pem"
        self.secrets = local_secrets(self.jwt_key)
        stored = {f"dealdesk/test/{name}": json.dumps(content) for name, content in self.secrets.items()}
        aws.clients["secretsmanager"] = SimpleNamespace(
            get_secret_value=lambda SecretId: {"SecretString": stored[SecretId]}
        )
        self.twins = build_town(API, what_vendors_know(self.secrets))
        for twin in self.twins.values():
            twin.webhooks = Mailbox()  # type: ignore[assignment]
            self.running.append(serve(twin))

    def _environment_of(self, function: dict[str, Any]) -> dict[str, str]:
        urls = defaultdict(lambda: "https://nobody.invalid", {name: twin.url for name, twin in self.twins.items()})
        values = {
            "DEALDESK_TABLE": TABLE,
            "DEALDESK_STAGE": "test",
            "DEALDESK_SILENT_AFTER_SECONDS": "1200",
            "EVENT_BUS_NAME": "bus",
            "RETRY_BASE_SECONDS": "1",
            "PUBLIC_URL": API,
            "LINK_WAIT_SECONDS": "0",
            "SALESFORCE_URL": urls["salesforce"],
            "HUBSPOT_URL": urls["hubspot"],
            "DOCUSIGN_OAUTH_URL": urls["docusign"],
            "DROPBOX_SIGN_URL": urls["dropbox_sign"],
            "STRIPE_URL": urls["stripe"],
            "PAYPAL_URL": urls["paypal"],
            "QUICKBOOKS_URL": urls["quickbooks"],
            "QUICKBOOKS_OAUTH_URL": urls["quickbooks"],
            "NETSUITE_URL": urls["netsuite"],
            "SAP_URL": urls["sap"],
            "CRM_SYSTEMS": "salesforce hubspot",
            "N8N_URL": urls["n8n"],
        }
        for name, value in function["Properties"].get("Environment", {}).get("Variables", {}).items():
            if name.endswith(("QUEUE_URL", "_FUNCTION")):
                values[name] = value["Ref"]
            elif name.endswith("_SECRET"):
                values[name] = f"dealdesk/test/{value['Fn::Sub'].rpartition('/')[2]}"
        return values | self.overrides

    def function(self, folder: str) -> ModuleType:
        """The function's module, loaded anew in each world."""
        if folder not in self.modules:
            self.modules[folder] = load(folder)
        return self.modules[folder]

    def _resource_of(self, folder: str) -> dict[str, Any]:
        code = f"functions/{folder}"
        return next(r for r in self.template.values() if r.get("Properties", {}).get("CodeUri") == code)

    def invoke(self, folder: str, event: dict[str, Any]) -> Any:
        resource = self._resource_of(folder)
        with patch.dict(os.environ, self._environment_of(resource)):
            return self.function(folder).handler(event, SimpleNamespace(aws_request_id="test"))

    def _invoke_directly(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        """One function asks another and waits; a function that fails is told apart from one that answers."""
        folder = self.template[FunctionName]["Properties"]["CodeUri"].removeprefix("functions/")
        try:
            answer, failed = self.invoke(folder, json.loads(Payload)), {}
        except Exception as error:
            answer, failed = {"errorType": type(error).__name__}, {"FunctionError": "Unhandled"}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **failed}

    def port(self, folder: str, name: str, *which: str) -> Any:
        """The adapter that this function would use, to be tampered with."""
        resource = self._resource_of(folder)
        with patch.dict(os.environ, self._environment_of(resource)):
            return getattr(self.function(folder), name)(*which)

    def fail(self, twin: str, **fault: Any) -> None:
        self.twins[twin].faults.append(Fault(**fault))

    # -- stream, bus, queues

    def _put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        for entry in Entries:
            self.published.append(json.loads(entry["Detail"]))
            message = {
                "source": entry["Source"],
                "detail-type": entry["DetailType"],
                "detail": json.loads(entry["Detail"]),
            }
            for queue in queues_told_of(entry["DetailType"]):
                self.queues[queue].messages.append(Waiting(json.dumps(message)))
        return {"FailedEntryCount": 0}

    def relay(self, *, times: int = 1) -> int:
        """Hands the new event rows to the relay, as the table's stream would; more than once if told so."""
        rows = self._dynamodb.scan(TableName=TABLE, ConsistentRead=True)["Items"]
        fresh = [
            row
            for row in rows
            if row["sk"]["S"].startswith("EVENT#") and (row["pk"]["S"], row["sk"]["S"]) not in self._relayed
        ]
        fresh.sort(key=lambda row: (row["occurred_at"]["S"], row["pk"]["S"], row["sk"]["S"]))
        records = [
            {"eventName": "INSERT", "dynamodb": {"Keys": {"pk": row["pk"], "sk": row["sk"]}, "NewImage": row}}
            for row in fresh
        ]
        for _ in range(times if records else 0):
            self.invoke("relay_events", {"Records": records})
        self._relayed.update((row["pk"]["S"], row["sk"]["S"]) for row in fresh)
        return len(fresh)

    def consumer_of(self, queue: str) -> str:
        for resource in self.template.values():
            if resource["Type"] != "AWS::Serverless::Function":
                continue
            for source in resource["Properties"].get("Events", {}).values():
                if source["Type"] == "SQS" and source["Properties"]["Queue"] == {"Fn::GetAtt": [queue, "Arn"]}:
                    return str(resource["Properties"]["CodeUri"]).removeprefix("functions/")
        raise KeyError(queue)

    def serve_queue(self, queue: Queue, *, times: int = 1) -> bool:
        """Offers the visible messages to their function, one batch; failed ones go back or die."""
        ready = [m for m in queue.messages if m.visible_at <= self.now()][:10]
        if not ready:
            return False
        for message in ready:
            queue.messages.remove(message)
            message.receives += 1
        records = [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"{queue.name}:{number}",
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": str(message.receives)},
            }
            for number, message in enumerate(ready)
        ]
        self._in_flight = ready
        try:
            for _ in range(times):
                answer = self.invoke(self.consumer_of(queue.name), {"Records": records})
            failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        except Crash:
            failed = {record["messageId"] for record in records}
            self.modules.pop(self.consumer_of(queue.name), None)
        for record, message in zip(records, ready, strict=True):
            if record["messageId"] in failed:
                (queue.dead if message.receives >= MOST_RECEIVES else queue.messages).append(message)
        return True

    def settle(self, *, times: int = 1, patience: timedelta = timedelta(hours=2)) -> None:
        """Runs stream, bus and queues until nothing moves; waits, by the world's clock, for delayed messages."""
        latest = self.now() + patience
        while True:
            moved = self.relay(times=times) > 0
            for queue in self.queues.values():
                while self.serve_queue(queue, times=times):
                    moved = True
            if moved:
                continue
            delayed = [m.visible_at for queue in self.queues.values() for m in queue.messages]
            if not delayed or min(delayed) > latest:
                return
            self._clock.shift(max(min(delayed) - self.now(), timedelta(0)) + timedelta(milliseconds=1))

    # -- the outside world

    @property
    def mail(self) -> list[Mail]:
        return [letter for twin in self.twins.values() for letter in twin.webhooks.letters]  # type: ignore[attr-defined]

    def take_mail(self) -> list[Mail]:
        letters = self.mail
        for twin in self.twins.values():
            twin.webhooks.reset()
        return letters

    def post(self, letter: Mail) -> dict[str, Any]:
        """Delivers one webhook as API Gateway would."""
        path = letter.url.removeprefix(API)
        folder = f"receive_{path.split('/')[2].replace('-', '_')}"
        secret = path.split("/")[3] if path.count("/") > 2 else None
        # The one of the template's BinaryMediaTypes.
        binary = letter.headers["Content-Type"].startswith("multipart/form-data")
        event = {
            "httpMethod": "POST",
            "path": path,
            "headers": letter.headers,
            "pathParameters": {"path_secret": secret} if secret else None,
            "body": base64.b64encode(letter.body).decode() if binary else letter.body.decode(),
            "isBase64Encoded": binary,
        }
        answer: dict[str, Any] = self.invoke(folder, event)
        return answer

    def rest(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str | None = None,
        role: str | None = None,
        headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """One REST call, past the authorizer when a user is named."""
        authorizer = {"person_id": user, "role": role} if user else None
        event = {
            "resource": path,
            "path": path,
            "httpMethod": method,
            "headers": {"Content-Type": "application/json", **(headers or {})},
            "multiValueHeaders": {name: [value] for name, value in (headers or {}).items()},
            "queryStringParameters": query,
            "multiValueQueryStringParameters": {name: [value] for name, value in (query or {}).items()} or None,
            "pathParameters": None,
            "stageVariables": None,
            "body": body if isinstance(body, str) or body is None else json.dumps(body),
            "isBase64Encoded": False,
            "requestContext": {
                "resourcePath": path,
                "httpMethod": method,
                "path": f"/test{path}",
                "stage": "test",
                "requestId": f"request-{os.urandom(6).hex()}",
                "domainName": "desk.test",
                "identity": {},
                "authorizer": authorizer,
            },
        }
        answer = self.invoke("rest", event)
        text = answer["body"]
        kind = (
            answer.get("headers", {}).get("Content-Type")
            or answer.get("multiValueHeaders", {}).get("Content-Type", [""])[0]
        )
        return answer["statusCode"], json.loads(text) if "json" in kind else text

    # -- looking

    def deal(self, deal_id: str) -> dict[str, Any]:
        status, document = self.rest("GET", f"/deals/{deal_id}", user="person-auditor", role="auditor")
        assert status == 200, document
        return dict(document)

    def mirrored(self, deal_id: str) -> dict[str, Any]:
        records = self.twins["salesforce"].state()["Deal_Desk_Deal__c"]
        return next(record for record in records if record["Deal_Id__c"] == deal_id)

    def effects(self) -> dict[str, int]:
        """How often each vendor was made to do something that cannot be undone."""
        return {
            "envelopes": len(self.twins["docusign"].state()["envelopes"]),
            "sessions": len(self.twins["stripe"].state()["sessions"]),
            "invoices": len(self.twins["quickbooks"].state()["Invoice"]),
        }


class Crash(BaseException):
    """The worker dies here: nothing after this line runs, and no handler catches it."""


class _Sqs:
    def __init__(self, world: World) -> None:
        self._world = world

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:
        due = self._world.now() + timedelta(seconds=DelaySeconds)
        self._world.queues[QueueUrl].messages.append(Waiting(MessageBody, visible_at=due))

    def change_message_visibility(self, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:
        number = int(ReceiptHandle.rpartition(":")[2])
        self._world._in_flight[number].visible_at = self._world.now() + timedelta(seconds=VisibilityTimeout)


@contextmanager
def crashing(port: object, method: str, *, before: bool) -> Iterator[Callable[[], int]]:
    """The next call of `port.method` kills the worker, before or after the vendor has done the work."""
    real, calls = getattr(port, method), 0

    def fatal(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 1:
            return real(*args, **kwargs)
        if not before:
            real(*args, **kwargs)
        raise Crash(method)

    with patch.object(port, method, fatal):
        yield lambda: calls
