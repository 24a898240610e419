"""Dead letters: what no retry could heal, shown without content, and sent back when the cause is repaired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from dealdesk.contracts.bus import BusEvent
from dealdesk.edge import aws
from dealdesk.edge.reactions import Message, Parked, Silence, Sweep, parse_message
from dealdesk.errors import Malformed
from operate.installation import Installation, NotPossible

DEAD, WORK = "DeadLetters", "Queue"
BATCH = 10
SAMPLE = 100
# Long enough to go through thousands; after a crash what was received comes back by itself.
HIDDEN_SECONDS = 300
WITHOUT_MOVE_TASKS = {"InvalidAction", "UnknownOperation", "UnknownOperationException"}


@dataclass(frozen=True, slots=True)
class Queues:
    """The work queue of a reaction, and where what failed a dozen times lies."""

    work_url: str
    dead_url: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter by what it is about; its content stays where it is."""

    id: str
    type: str
    deal_id: str
    sent_at: datetime
    body: str
    receipt: str


def queues(at: Installation) -> dict[str, Queues]:
    """Every queue that has dead letters, by the name of its reaction."""
    found = sorted(name.removesuffix(DEAD) for name in at.resources if name.endswith(DEAD))
    return {reaction_of(name): Queues(at.resource(name + WORK), at.resource(name + DEAD)) for name in found}


def reaction_of(name: str) -> str:
    """What `PostInvoice` in the template is called everywhere else: `post_invoice`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def queue_named(at: Installation, name: str) -> Queues:
    """Raises `NotPossible` and says which there are."""
    known = queues(at)
    if name not in known:
        raise NotPossible(f"there is no queue {name}; there are {', '.join(known)}")
    return known[name]


def count(queue_url: str) -> int:
    """About how many messages lie there, also those that somebody looks at right now."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = aws.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)
    return sum(int(number) for number in answer.get("Attributes", {}).values())


def newest(queue_url: str, most: int) -> list[Letter]:
    """The newest of up to a hundred letters; SQS shows no order, so of more it may miss some. All stay there."""
    seen: dict[str, Letter] = {}
    try:
        while len(seen) < SAMPLE and (letters := _receive(queue_url, BATCH, seen)):
            seen.update((letter.id, letter) for letter in letters)
    finally:
        _show_again(queue_url, seen.values())
    return sorted(seen.values(), key=lambda letter: letter.sent_at, reverse=True)[:most]


def redrive_all(queue: Queues) -> int | None:
    """Lets SQS move everything back by itself, and gives None; where it cannot, moves by hand and counts."""
    names = ["QueueArn"]
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue.dead_url, AttributeNames=names)["Attributes"]
    try:
        aws.client("sqs").start_message_move_task(SourceArn=attributes["QueueArn"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in WITHOUT_MOVE_TASKS:
            raise
        return redrive_some(queue, None, None)
    return None


def redrive_some(queue: Queues, deal_id: str | None, most: int | None) -> int:
    """Moves up to `most` letters back, of one deal if it is named; how many.

    Each is sent before it is deleted: a crash between leaves it twice, which every reaction bears, and never loses it.
    """
    sqs, moved, left = aws.client("sqs"), 0, dict[str, Letter]()
    seen: set[str] = set()
    try:
        while most is None or moved < most:
            wanted = BATCH if deal_id or most is None else min(BATCH, most - moved)
            letters = _receive(queue.dead_url, wanted, seen)
            left.update((letter.id, letter) for letter in letters)
            if not letters:
                break
            for letter in letters:
                seen.add(letter.id)
                if deal_id in (None, letter.deal_id) and moved != most:
                    sqs.send_message(QueueUrl=queue.work_url, MessageBody=letter.body)
                    sqs.delete_message(QueueUrl=queue.dead_url, ReceiptHandle=letter.receipt)
                    del left[letter.id]
                    moved += 1
    finally:
        _show_again(queue.dead_url, left.values())
    return moved


def _receive(queue_url: str, most: int, seen: Mapping[str, Letter] | set[str]) -> list[Letter]:
    """The next letters, none when there are only such that were seen."""
    answer = aws.client("sqs").receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=most,
        VisibilityTimeout=HIDDEN_SECONDS,
        WaitTimeSeconds=1,  # asks all of SQS's servers; without waiting, a sample of them
        MessageSystemAttributeNames=["SentTimestamp"],
    )
    return [_letter(message) for message in answer.get("Messages", []) if message["MessageId"] not in seen]


def _show_again(queue_url: str, letters: Iterable[Letter]) -> None:
    for letter in letters:
        aws.client("sqs").change_message_visibility(
            QueueUrl=queue_url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
        )


def _letter(message: dict[str, Any]) -> Letter:
    type_, deal_id = _about(message["Body"])
    sent_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    return Letter(message["MessageId"], type_, deal_id, sent_at, message["Body"], message["ReceiptHandle"])


def _about(body: str) -> tuple[str, str]:
    try:
        message: Message = parse_message(body)
    except Malformed:
        return "unreadable", ""
    match message:
        case BusEvent():
            return message.type, message.deal_id
        case Silence():
            return "silence", message.deal_id
        case Sweep():
            return "sweep", ""
        case Parked():
            return f"parked {message.kind}", str(message.message.get("deal_id", ""))
