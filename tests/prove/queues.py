"""The queues of template.yaml in one process: at least once, hidden while in flight, dead after a dozen tries.

Operators have the same queues before them, by the calls of SQS that they use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

from tests.prove.calls import Calls
from tests.prove.fate import Fate

LATE = {"a minute late": 60, "an hour late": 3600}
DEAD, WORK = "DeadLetters", "Queue"


@dataclass
class Message:
    """In a queue, in flight until `visible_at`."""

    number: int
    body: str
    sent_at: datetime
    visible_at: datetime
    receives: int = 0


@dataclass
class Queue:
    """`most_receives`, `batch` and `hidden` (the visibility timeout) are those of template.yaml."""

    name: str
    folder: str
    batch: int
    most_receives: int
    hidden: timedelta
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)


class Queues:
    """`redriven` counts the dead letters that operators have sent back."""

    def __init__(self, queues: list[Queue], fate: Fate, calls: Calls) -> None:
        self.by_name = {queue.name: queue for queue in queues}
        self._fate, self._calls = fate, calls
        self.redriven = 0
        self._receipts: list[Message] = []
        self._numbers = count(1)

    def __iter__(self) -> Any:
        return iter(self.by_name.values())

    def hold(self, text: str) -> bool:
        """Whether a message with this text waits or is a dead letter."""
        return any(text in message.body for queue in self for message in queue.messages + queue.dead)

    def dead_letters(self) -> int:
        return sum(len(queue.dead) for queue in self)

    def put(self, name: str, body: str, seconds: float = 0) -> None:
        kind = self._fate.strikes(f"{name} gets a message", ("twice", *LATE))
        due = self._calls.now() + timedelta(seconds=seconds + LATE.get(kind or "", 0))
        for _ in range(2 if kind == "twice" else 1):
            self.by_name[name].messages.append(self._new(body, due))

    def take(self, queue: Queue) -> tuple[list[dict[str, Any]], Callable[[set[str]], None]]:
        """A batch as Lambda is given it, and what removes it again, but for those that failed."""
        ready = [message for message in queue.messages if message.visible_at <= self._calls.now()]
        batch = self._fate.dice(queue.name).sample(ready, min(len(ready), queue.batch))
        records = [self._record(queue, message) for message in batch if not self._dies(queue, message)]
        taken = [self._receipts[int(record["receiptHandle"])] for record in records]

        def done(failed: set[str]) -> None:
            for record, message in zip(records, taken, strict=True):
                if record["messageId"] not in failed and message in queue.messages:
                    queue.messages.remove(message)

        return records, done

    def _record(self, queue: Queue, message: Message) -> dict[str, Any]:
        message.receives += 1
        message.visible_at = self._calls.now() + queue.hidden
        if self._fate.strikes(f"{queue.name} shows a message", ("to two at once",), odds=self._fate.meeting_odds):
            message.visible_at = self._calls.now()
        self._receipts.append(message)
        return {
            "messageId": f"m{message.number}",
            "receiptHandle": str(len(self._receipts) - 1),
            "body": message.body,
            "attributes": {"ApproximateReceiveCount": str(message.receives)},
        }

    def _dies(self, queue: Queue, message: Message) -> bool:
        if message.receives < queue.most_receives:
            return False
        queue.messages.remove(message)
        message.visible_at = self._calls.now()
        queue.dead.append(message)
        return True

    def _new(self, body: str, due: datetime) -> Message:
        return Message(next(self._numbers), body, self._calls.now(), due)

    # -- what functions ask of SQS

    def send_message(self, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:
        fault = self._calls.aws("queue SendMessage")
        self.put(QueueUrl, MessageBody, DelaySeconds)
        self._calls.aws_done(fault)

    def change_message_visibility(self, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:
        fault = self._calls.aws("queue ChangeMessageVisibility")
        self._receipts[int(ReceiptHandle)].visible_at = self._calls.now() + timedelta(seconds=VisibilityTimeout)
        self._calls.aws_done(fault)

    # -- what operators ask of it

    def receive_message(self, QueueUrl: str, MaxNumberOfMessages: int, VisibilityTimeout: int, **_: Any) -> Any:
        now = self._calls.now()
        ready = [message for message in self._dead(QueueUrl).dead if message.visible_at <= now][:MaxNumberOfMessages]
        for message in ready:
            message.visible_at = now + timedelta(seconds=VisibilityTimeout)
            self._receipts.append(message)
        first = len(self._receipts) - len(ready)
        return {
            "Messages": [
                {
                    "MessageId": f"m{message.number}",
                    "ReceiptHandle": str(first + at),
                    "Body": message.body,
                    "Attributes": {"SentTimestamp": str(int(message.sent_at.timestamp() * 1000))},
                }
                for at, message in enumerate(ready)
            ]
        }

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> None:
        self._dead(QueueUrl).dead.remove(self._receipts[int(ReceiptHandle)])
        self.redriven += 1

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> Any:
        known = {"ApproximateNumberOfMessages": str(len(self._dead(QueueUrl).dead)), "QueueArn": QueueUrl}
        return {"Attributes": {name: known[name] for name in AttributeNames if name in known}}

    def start_message_move_task(self, SourceArn: str) -> None:
        """Moves everything; an SQS that cannot, as some that stand in for it, says that it knows no such call."""
        if self._fate.dice("move task").random() < 0.5:
            raise ClientError({"Error": {"Code": "InvalidAction", "Message": "unknown"}}, "StartMessageMoveTask")
        queue = self._dead(SourceArn)
        queue.messages += [self._new(message.body, self._calls.now()) for message in queue.dead]
        self.redriven += len(queue.dead)
        queue.dead.clear()

    def _dead(self, url: str) -> Queue:
        return self.by_name[url.removesuffix(DEAD) + WORK]
