"""The desk and everything around it, in one process and at the mercy of one seed.

Handlers, use cases and adapters are the real ones; the rules of what AWS does in between are those of template.yaml.
"""

from __future__ import annotations

import json
import os
import random
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import time_machine
from botocore.httpsession import URLLib3Session
from urllib3.connectionpool import HTTPConnectionPool

from dealdesk.adapters.rows import bound_to
from dealdesk.edge import aws, secrets
from local.tokens import Secrets
from local.twins import hubspot_webhooks, salesforce_outbound
from local.twins.town import BUILDERS
from tests.journeys import world as journeys
from tests.journeys.world import API, Mailbox, load, queues_told_of, template
from tests.prove import machine
from tests.prove.calls import AWS_CALL, Calls
from tests.prove.fate import Fate
from tests.prove.invocation import Invocation
from tests.prove.mail import Letter, Post
from tests.prove.queues import Queue, Queues
from tests.prove.table import Table
from tests.prove.town import chosen_by, configuration_of, town_of
from tests.prove.vendors import Vendors

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
CHASE_EVERY = timedelta(minutes=20)
# Seconds by which the desk is off. Further behind, Salesforce takes no sign-in: it lives for three minutes.
CLOCKS = (0, 0, 0, -150, -45, 45, 150)
# Their failure is an error to the service that calls them, which calls again; the others answer whatever happens.
MAY_RAISE = ("relay_events", "chase_stalled", "escalate_approvals")


@cache
def _rest() -> ModuleType:
    """Building the routes takes long, and they remember nothing but what is cached."""
    return load("rest")


@cache
def _modules_of_rest() -> tuple[ModuleType, ...]:
    _rest()
    folder = journeys.ROOT / "functions" / "rest"
    return tuple(sys.modules[file.stem] for file in sorted(folder.glob("*.py")) if file.stem in sys.modules)


class World(journeys.World):
    """`step` does one thing that may happen next."""

    def __init__(self, fate: Fate) -> None:
        self.path = chosen_by(fate)
        super().__init__(**configuration_of(self.path))
        self.fate = fate
        self.flying: list[Invocation] = []
        self.relaying = False
        self.relayed = 0
        self.defects: list[str] = []
        self.steps = 0
        self._idle: dict[str, list[ModuleType]] = {}
        self._environments: dict[str, dict[str, str]] = {}
        self._environment_now: dict[str, str] = {}
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
        for name, fake in machine.instead(self.fate, self.calls, self._defect).items():
            enter(patch(name, fake))
        enter(patch.dict(os.environ, machine.ENVIRONMENT))
        self.secrets, known = machine.made_secrets()
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
        self.work = Queues([self._queue(name) for name in self.queues_of_template()], self.fate, self.calls)
        self.webhooks = Post(self.fate, self.twins, self.now)
        bus = SimpleNamespace(put_events=self._put_events)
        aws.clients.update(events=bus, sqs=self.work, secretsmanager=manager)
        self.next_chase = self.now() + CHASE_EVERY
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.flying:
            one.died = True
            one.resume()
        self._stack.close()

    def _defect(self, what: str, **_: object) -> None:
        if what != "delay could not be set":  # the queue's own timeout does as well
            self.defects.append(traceback.format_exc())

    def _forget(self) -> None:
        aws.clients.clear()
        bound_to.cache_clear()
        secrets.forget()
        salesforce_outbound._notifications = iter(range(1, 10**9))  # type: ignore[assignment]
        hubspot_webhooks._events = iter(range(1, 10**9))  # type: ignore[assignment]
        for module in (_rest(), *_modules_of_rest()):
            for remembered in vars(module).values():
                if hasattr(remembered, "cache_clear") and getattr(remembered, "__module__", "") != "functools":
                    remembered.cache_clear()

    def _open_town(self, known: Secrets) -> None:
        """The vendors of this run, and no others."""
        path = self.path
        for name in (path.crm, path.signature, path.payment, path.ledger, "n8n"):
            twin = BUILDERS[name](known[name], f"{API}/webhooks")
            twin.webhooks = Mailbox()  # type: ignore[assignment]
            twin.clock = self.true_time
            if name == "paypal":
                twin.signer = machine.paypal_signer()  # type: ignore[attr-defined]
            self.twins[name] = twin
        self.town = town_of(path, self.twins)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def true_time(self) -> datetime:
        """What the vendors' clocks say: the desk's may be off by minutes."""
        return datetime.now(UTC) - self.skew

    def goes_to_n8n(self, detail_type: str) -> bool:
        return any(self.work.by_name[name].folder == "notify_n8n" for name in queues_told_of(detail_type))

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

    def loaded(self, folder: str) -> ModuleType:
        """The function's code with its settings, for who works with its clients at a desk of their own."""
        module = load(folder)
        self._environment_now = {}
        os.environ.update(self._environment_of(self._resource_of(folder)))
        module.config()
        return module

    def start(self, folder: str, work: Callable[[], Any], then: Callable[[Invocation], None], name: str = "") -> None:
        resource = self._resource_of(folder)
        timeout = resource["Properties"].get("Timeout", 30)
        one = Invocation(name or folder, work, then, self.now() + timedelta(seconds=timeout))
        if folder not in self._environments:
            self._environments[folder] = self._environment_of(resource)
        one.environment = self._environments[folder]
        self._run(one)

    def _run(self, one: Invocation) -> None:
        if one.environment is not self._environment_now:
            self._environment_now = one.environment
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
        fault = self.calls.aws("bus PutEvents", (*AWS_CALL, "takes only a part"))
        taken = Entries[: len(Entries) // 2] if fault == "takes only a part" else Entries
        for entry in taken:
            self._publish(entry)
        self.calls.aws_done(fault)
        return {"FailedEntryCount": len(Entries) - len(taken)}

    def _publish(self, entry: dict[str, Any]) -> None:
        detail = json.loads(entry["Detail"])
        self.published.append(detail)
        body = json.dumps({"source": entry["Source"], "detail-type": entry["DetailType"], "detail": detail})
        for name in queues_told_of(entry["DetailType"]):
            self.work.put(name, body)

    # -- what may happen next

    def ready(self) -> list[tuple[str, Callable[[], None]]]:
        now = self.now()
        found: list[tuple[str, Callable[[], None]]] = []
        if self.relayed < len(self.table.stream) and not self.relaying:
            found.append(("stream", self.relay_some))
        for queue in self.work:
            if any(message.visible_at <= now for message in queue.messages):
                found.append((queue.name, partial(self.receive, queue)))
        if self.vendors.late and self.vendors.late[0][0] <= now:
            found.append(("vendor", self.vendors.finish_late))
        found += [("mail", partial(self.deliver, letter)) for letter in self.webhooks.ready()]
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
        self.webhooks.collect()
        return True

    def waits_until(self) -> datetime | None:
        """When the next thing is due that is on its way."""
        dues = [message.visible_at for queue in self.work for message in queue.messages]
        dues += [letter.due for letter in self.webhooks.letters] + [late[0] for late in self.vendors.late]
        dues += [one.resumes_at for one in self.flying]
        return min(dues, default=None)

    def pass_time(self, until: datetime) -> None:
        """What vendors are still at work on is done on the way, however long the time is."""
        while self.vendors.late and self.vendors.late[0][0] <= until:
            self._take_until(self.vendors.late[0][0])
            self.vendors.finish_late()
        self._take_until(until)

    def _take_until(self, until: datetime) -> None:
        self.calls.take(seconds=max(0.001, (until - self.now()).total_seconds() + 0.001))
        self._vendors_see_time_pass()

    def _vendors_see_time_pass(self) -> None:
        """What they forget, and what they do by themselves later than they were asked."""
        twins: dict[str, Any] = self.twins
        if "stripe" in twins:
            twins["stripe"].prune()
        if "dropbox_sign" in twins:
            twins["dropbox_sign"].state()

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
        records, done = self.work.take(queue)

        def answered(one: Invocation) -> None:
            if one.died or isinstance(one.answer, BaseException):
                return
            done({item["itemIdentifier"] for item in (one.answer or {}).get("batchItemFailures", [])})

        if records:
            self.start(queue.folder, lambda: self.invoke(queue.folder, {"Records": records}), answered)

    def deliver(self, letter: Letter) -> None:
        mail = self.webhooks.take(letter)
        folder = f"receive_{mail.url.removeprefix(API).split('/')[2].replace('-', '_')}"
        self.start(
            folder,
            lambda: self.post(mail),
            lambda one: self.webhooks.answered(letter, None if one.died else one.answer),
        )
