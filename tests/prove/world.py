"""The desk and everything around it, in one process and at the mercy of one seed.

Handlers, use cases and adapters are the real ones; the rules of what AWS does in between are those of template.yaml.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import botocore.session
import time_machine
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from urllib3.connectionpool import HTTPConnectionPool

from dealdesk.adapters.rows import bound_to
from dealdesk.edge import aws, secrets
from local.tokens import Secrets, local_secrets, what_vendors_know
from local.twins import salesforce_outbound
from local.twins.stripe import stripe_signature
from local.twins.town import BUILDERS
from tests.journeys import world as journeys
from tests.journeys.world import API, Mail, Mailbox, load, queues_told_of, template
from tests.prove.calls import Calls
from tests.prove.fate import Fate
from tests.prove.invocation import Invocation, Worker
from tests.prove.table import Table
from tests.prove.vendors import Vendors

_sleep = time.sleep
START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
VENDORS = ("salesforce", "docusign", "stripe", "quickbooks", "n8n")
AWS_CALL = ("dies before", "dies after", "is throttled", "loses the answer")
CHASE_EVERY = timedelta(minutes=20)
VENDOR_TRIES = 8
# Seconds by which the desk is off. Further behind, Salesforce takes no sign-in: it lives for three minutes.
CLOCKS = (0, 0, 0, -150, -45, 45, 150)
MACHINE = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
# Their failure is an error to the service that calls them, which calls again; the others answer whatever happens.
MAY_RAISE = ("relay_events", "chase_stalled", "escalate_approvals")


@dataclass
class Letter:
    """A webhook on its way; vendors send again what was not taken, and at last give up."""

    vendor: str
    mail: Mail
    due: datetime
    tries: int = 0


@dataclass
class Message:
    """In a queue, in flight until `visible_at`."""

    body: str
    visible_at: datetime
    receives: int = 0


@dataclass
class Queue:
    name: str
    folder: str
    batch: int
    most_receives: int
    hidden: timedelta
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)


@cache
def _made_secrets() -> tuple[Secrets, Secrets]:
    """The desk's and the vendors' half. Keys cost half a second; nothing depends on which they are."""
    with tempfile.TemporaryDirectory() as folder:
        made = local_secrets(Path(folder) / "jwt_key.pem")
    return made, what_vendors_know(made)


@cache
def _session() -> Any:
    return botocore.session.Session()


@cache
def _rest() -> ModuleType:
    """Building the routes takes long, and they remember nothing but what is cached."""
    return load("rest")


class World(journeys.World):
    """`step` does one thing that may happen next."""

    def __init__(self, fate: Fate) -> None:
        super().__init__(CRM_SYSTEMS="salesforce")
        self.fate = fate
        self.letters: list[Letter] = []
        self.flying: list[Invocation] = []
        self.relaying = False
        self.relayed = 0
        self.defects: list[str] = []
        self.refused: list[str] = []
        self.lost_letters = 0
        self.steps = 0
        self.hooks: list[Callable[[Letter, dict[str, Any]], None]] = []
        self._idle: dict[str, list[ModuleType]] = {}
        self._receipts: list[Message] = []
        self._stack = ExitStack()

    # -- starting and stopping

    def __enter__(self) -> World:
        enter = self._stack.enter_context
        random.seed(self.fate.seed)
        travel = time_machine.travel(START, tick=False)
        clock = travel.start()
        self._stack.callback(travel.stop)
        self.calls = Calls(self.fate, clock)
        self.skew = timedelta(seconds=self.fate.dice("clock").choice(CLOCKS))
        for name, fake in self._machine().items():
            enter(patch(name, fake))
        enter(patch.dict(os.environ, MACHINE))
        self.secrets, known = _made_secrets()
        self._open_town(known)
        self.table = Table(self.calls)
        enter(patch.object(URLLib3Session, "send", lambda _, request: self.table.send(request)))
        self.vendors = Vendors(self.calls, self.twins)
        vendors = self.vendors
        enter(patch.object(HTTPConnectionPool, "urlopen", lambda pool, *a, **k: vendors.urlopen(pool, *a, **k)))
        self._stack.callback(self._forget)
        self._forget()
        stored = {f"dealdesk/test/{name}": json.dumps(content) for name, content in self.secrets.items()}
        manager = SimpleNamespace(get_secret_value=lambda SecretId: {"SecretString": stored[SecretId]})
        aws.clients.update(events=SimpleNamespace(put_events=self._put_events), sqs=self, secretsmanager=manager)
        self.work: dict[str, Queue] = {name: self._queue(name) for name in self.queues_of_template()}
        self.next_chase = self.now() + CHASE_EVERY
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.flying:
            one.died = True
            one.resume()
        self._stack.close()

    def _machine(self) -> dict[str, Any]:
        """What this process has instead of a clock, of randomness and of a log."""
        return {
            "time.sleep": self._sleep,
            "time.monotonic": time.time,
            "os.urandom": self.fate.bytes,
            "random._urandom": self.fate.bytes,
            "jwt.algorithms.load_pem_private_key": cache(load_pem_private_key),
            "botocore.session.get_session": _session,
            "pynamodb.connection.base.get_session": _session,
            "dealdesk.edge.telemetry.count": lambda *_, **__: None,
            "dealdesk.edge.measures.count": lambda *_, **__: None,
            "dealdesk.edge.telemetry.said": lambda *_, **__: None,
            "dealdesk.edge.telemetry.warned": lambda *_, **__: None,
            "dealdesk.edge.telemetry.logger": SimpleNamespace(exception=self._defect),
        }

    def _sleep(self, seconds: float) -> None:
        """Functions sleep in no time; threads that belong to this process, and not to the world, as they will."""
        if isinstance(threading.current_thread(), Worker):
            self.calls.take(seconds=seconds)
        else:
            _sleep(seconds)

    def _defect(self, what: str, **_: object) -> None:
        if what != "delay could not be set":  # the queue's own timeout does as well
            self.defects.append(traceback.format_exc())

    def _forget(self) -> None:
        aws.clients.clear()
        bound_to.cache_clear()
        secrets.forget()
        salesforce_outbound._notifications = iter(range(1, 10**9))  # type: ignore[assignment]
        _rest()
        for module in (_rest(), *(m for m in vars(_rest()).values() if isinstance(m, ModuleType))):
            for remembered in vars(module).values():
                if hasattr(remembered, "cache_clear") and getattr(remembered, "__module__", "") != "functools":
                    remembered.cache_clear()

    def _open_town(self, known: Secrets) -> None:
        for name in VENDORS:
            twin = BUILDERS[name](known[name], f"{API}/webhooks")
            twin.webhooks = Mailbox()  # type: ignore[assignment]
            twin.clock = self.true_time
            self.twins[name] = twin

    def now(self) -> datetime:
        return datetime.now(UTC)

    def true_time(self) -> datetime:
        """What the vendors' clocks say: the desk's may be off by minutes."""
        return datetime.now(UTC) - self.skew

    def goes_to_n8n(self, detail_type: str) -> bool:
        return any(self.work[name].folder == "notify_n8n" for name in queues_told_of(detail_type))

    # -- queues and functions, as template.yaml has them

    def queues_of_template(self) -> list[str]:
        return [name for name, resource in template().items() if journeys.is_work_queue(resource)]

    def _queue(self, name: str) -> Queue:
        properties = template()[name]["Properties"]
        folder = self.consumer_of(name)
        sources = self._resource_of(folder)["Properties"]["Events"].values()
        batch = next(source["Properties"]["BatchSize"] for source in sources if source["Type"] == "SQS")
        most = properties["RedrivePolicy"]["maxReceiveCount"]
        return Queue(name, folder, batch, most, timedelta(seconds=properties["VisibilityTimeout"]))

    def invoke(self, folder: str, event: dict[str, Any]) -> Any:
        """In an execution environment that is free, or a new one; one in which a function died is not used again."""
        idle = self._idle.setdefault(folder, [])
        module = idle.pop() if idle else _rest() if folder == "rest" else load(folder)
        answer = module.handler(event, SimpleNamespace(aws_request_id="test"))
        if folder != "rest":
            idle.append(module)
        return answer

    def start(self, folder: str, work: Callable[[], Any], then: Callable[[Invocation], None], name: str = "") -> None:
        resource = self._resource_of(folder)
        timeout = resource["Properties"].get("Timeout", 30)
        one = Invocation(name or folder, work, then, self.now() + timedelta(seconds=timeout))
        one.environment = self._environment_of(resource)
        self._run(one)

    def _run(self, one: Invocation) -> None:
        os.environ.update(one.environment)
        self.calls.current = one
        one.resume()
        self.calls.current = None
        if one.is_over:
            if isinstance(one.answer, BaseException) and one.name not in MAY_RAISE:
                self.defects.append("".join(traceback.format_exception(one.answer)))
            one.then(one)
        else:
            self.flying.append(one)

    # -- stream and bus

    def _put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        fault = self._aws("bus PutEvents", (*AWS_CALL, "takes only a part"))
        taken = Entries[: len(Entries) // 2] if fault == "takes only a part" else Entries
        for entry in taken:
            self._publish(entry)
        self._after(fault)
        return {"FailedEntryCount": len(Entries) - len(taken)}

    def _publish(self, entry: dict[str, Any]) -> None:
        detail = json.loads(entry["Detail"])
        self.published.append(detail)
        body = json.dumps({"source": entry["Source"], "detail-type": entry["DetailType"], "detail": detail})
        for name in queues_told_of(entry["DetailType"]):
            self._enqueue(name, body, 0)

    def _enqueue(self, name: str, body: str, seconds: float) -> None:
        kind = self.fate.strikes(f"{name} gets a message", ("twice", "a minute late", "an hour late"))
        late = {"a minute late": 60, "an hour late": 3600}.get(kind or "", 0)
        for _ in range(2 if kind == "twice" else 1):
            self.work[name].messages.append(Message(body, self.now() + timedelta(seconds=seconds + late)))

    def _aws(self, name: str, kinds: tuple[str, ...]) -> str | None:
        fault = self.calls.begin(name, kinds, milliseconds=8)
        if fault == "is throttled":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, name)
        return fault

    def _after(self, fault: str | None) -> None:
        if self.calls.end(fault) == "loses the answer":
            raise ReadTimeoutError(endpoint_url="https://aws.test")

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:
        fault = self._aws("queue SendMessage", AWS_CALL)
        self._enqueue(QueueUrl, MessageBody, DelaySeconds)
        self._after(fault)

    def change_message_visibility(self, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:
        fault = self._aws("queue ChangeMessageVisibility", AWS_CALL)
        message = self._receipts[int(ReceiptHandle)]
        message.visible_at = self.now() + timedelta(seconds=VisibilityTimeout)
        self._after(fault)

    # -- what may happen next

    def ready(self) -> list[tuple[str, Callable[[], None]]]:
        now = self.now()
        found: list[tuple[str, Callable[[], None]]] = []
        if self.relayed < len(self.table.stream) and not self.relaying:
            found.append(("stream", self.relay_some))
        for queue in self.work.values():
            if any(message.visible_at <= now for message in queue.messages):
                found.append((queue.name, partial(self.receive, queue)))
        if self.vendors.late and self.vendors.late[0][0] <= now:
            found.append(("vendor", self.vendors.finish_late))
        for letter in self.letters:
            if letter.due <= now:
                found.append(("mail", partial(self.deliver, letter)))
        for one in self.flying:
            if one.resumes_at <= now:
                found.append((one.name, partial(self.go_on, one)))
        return found

    def step(self) -> bool:
        """One thing that may happen; False when nothing can before time passes."""
        self.steps += 1
        possible = self.ready()
        if not possible:
            return False
        self.fate.pick("next", possible)[1]()
        self.collect_mail()
        return True

    def waits_until(self) -> datetime | None:
        """When the next thing is due that is on its way."""
        dues = [message.visible_at for queue in self.work.values() for message in queue.messages]
        dues += [letter.due for letter in self.letters] + [late[0] for late in self.vendors.late]
        dues += [one.resumes_at for one in self.flying]
        return min(dues, default=None)

    def pass_time(self, until: datetime) -> None:
        self.calls.take(seconds=max(0.001, (until - self.now()).total_seconds() + 0.001))
        stripe: Any = self.twins["stripe"]
        stripe.prune()

    def go_on(self, one: Invocation) -> None:
        self.flying.remove(one)
        self._run(one)

    def chase(self) -> None:
        """The schedules of template.yaml."""
        self.next_chase = self.now() + CHASE_EVERY
        for folder in ("chase_stalled", "escalate_approvals"):
            self.start(folder, partial(self.invoke, folder, {}), lambda _: None)

    def relay_some(self) -> None:
        """The stream gives what it has, in order, and the same again until it was taken."""
        most = self.fate.dice("stream").choice((1, 3, 100))
        records = self.table.stream[self.relayed : self.relayed + most]
        wanted = [r for r in records if r["eventName"] == "INSERT" and r["dynamodb"]["Keys"]["sk"]["S"][:6] == "EVENT#"]
        if not wanted:
            self.relayed += len(records)
            return

        def taken(one: Invocation) -> None:
            self.relaying = False
            failed = one.died or isinstance(one.answer, BaseException)
            if failed or self.fate.strikes("stream", ("gives it again",)):
                self.calls.take(seconds=1)
            else:
                self.relayed += len(records)

        self.relaying = True
        self.start("relay_events", lambda: self.invoke("relay_events", {"Records": wanted}), taken)

    def receive(self, queue: Queue) -> None:
        """One batch to the queue's function; what it does not give back, and did not die on, is gone."""
        ready = [message for message in queue.messages if message.visible_at <= self.now()]
        batch = self.fate.dice(queue.name).sample(ready, min(len(ready), queue.batch))
        records = [self._record(queue, message) for message in batch if not self._is_dead(queue, message)]
        if not records:
            return
        taken = [self._receipts[int(record["receiptHandle"])] for record in records]

        def done(one: Invocation) -> None:
            if one.died or isinstance(one.answer, BaseException):
                return
            failed = {item["itemIdentifier"] for item in (one.answer or {}).get("batchItemFailures", [])}
            for record, message in zip(records, taken, strict=True):
                if record["messageId"] not in failed and message in queue.messages:
                    queue.messages.remove(message)

        name = f"{queue.folder}"
        self.start(queue.folder, lambda: self.invoke(queue.folder, {"Records": records}), done, name)

    def _is_dead(self, queue: Queue, message: Message) -> bool:
        if message.receives < queue.most_receives:
            return False
        queue.messages.remove(message)
        queue.dead.append(message)
        return True

    def _record(self, queue: Queue, message: Message) -> dict[str, Any]:
        message.receives += 1
        message.visible_at = self.now() + queue.hidden
        if self.fate.strikes(f"{queue.name} shows a message", ("to two at once",)):
            message.visible_at = self.now()
        self._receipts.append(message)
        handle = str(len(self._receipts) - 1)
        return {
            "messageId": f"m{handle}",
            "receiptHandle": handle,
            "body": message.body,
            "attributes": {"ApproximateReceiveCount": str(message.receives)},
        }

    # -- mail

    def collect_mail(self) -> None:
        for name, twin in self.twins.items():
            box: Any = twin.webhooks
            for mail in box.letters:
                self._post_later(name, mail)
            box.reset()

    def _post_later(self, vendor: str, mail: Mail) -> None:
        kind = self.fate.strikes(
            f"mail of {vendor}", ("is lost", "comes twice", "comes an hour late", "comes days late")
        )
        late = {"comes an hour late": timedelta(hours=1), "comes days late": timedelta(days=3)}
        if kind == "is lost":
            self.lost_letters += 1
            return
        for _ in range(2 if kind == "comes twice" else 1):
            self.letters.append(Letter(vendor, mail, self.now() + late.get(kind or "", timedelta(0))))

    def deliver(self, letter: Letter) -> None:
        self.letters.remove(letter)
        if letter.vendor == "stripe":
            self._sign_anew(letter.mail)
        folder = f"receive_{letter.mail.url.removeprefix(API).split('/')[2].replace('-', '_')}"

        def answered(one: Invocation) -> None:
            status = 0 if one.died or not isinstance(one.answer, dict) else one.answer["statusCode"]
            if 200 <= status < 300:
                for hook in self.hooks:
                    hook(letter, one.answer)
                return
            if status in (401, 403):
                self.refused.append(f"{letter.vendor} at try {letter.tries + 1}: {one.answer['body'][:200]}")
            letter.tries += 1
            letter.due = self.now() + timedelta(minutes=2**letter.tries)
            if letter.tries < VENDOR_TRIES:
                self.letters.append(letter)
            else:
                self.lost_letters += 1

        self.start(folder, lambda: self.post(letter.mail), answered)

    def _sign_anew(self, mail: Mail) -> None:
        """Stripe makes a signature for every attempt. Source: Stripe, "Resolve webhook signature errors"."""
        secret = self.secrets["stripe"]["webhook_secrets"][0]
        stamp = int(self.true_time().timestamp())
        mail.headers["Stripe-Signature"] = stripe_signature(secret, stamp, mail.body)
