"""One transaction for everything that a cause changes, with the claim of that cause first: it has one effect.

Items are written as they go over the wire, and not through the model of `rows.py`: every webhook takes this path,
and the model costs it a tenth of its time (make bench: `warm.*`, `cold.*`).
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from dealdesk.domain.chain import Recorded
from dealdesk.errors import AlreadyHandled, CauseReused, TableBusy, TooLarge, VersionMoved
from dealdesk.ports import Cause

ITEM_LIMIT_BYTES = 400 * 1024
TRANSACTION_LIMIT_BYTES = 4 * 1024 * 1024
ROW_OVERHEAD_BYTES = 2 * 1024
ATTEMPTS = 6

Item = dict[str, dict[str, str]]
Condition = dict[str, Any]
NEW: Condition = {"ConditionExpression": "attribute_not_exists(pk)"}

_TRANSIENT = {
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "TransactionInProgress",
    "TransactionConflictException",
    "TransactionInProgressException",
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "InternalServerError",
}


def new_item(**fields: str | int | None) -> Item:
    """The row as DynamoDB takes it; a field that is None is left out."""
    return {
        name: {"N": str(value)} if isinstance(value, int) else {"S": value}
        for name, value in fields.items()
        if value is not None
    }


def key_of(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def text_of(item: Item, name: str) -> str | None:
    return item[name]["S"] if name in item else None


def equals(field: str, value: str | int) -> Condition:
    """The row must still say this."""
    return {
        "ConditionExpression": "#field = :seen",
        "ExpressionAttributeNames": {"#field": field},
        "ExpressionAttributeValues": {":seen": {"N": str(value)} if isinstance(value, int) else {"S": value}},
    }


def event_item(pk: str, record: Recorded) -> Item:
    """The row of an event; its key is what makes the table's stream hand it to the relay."""
    return new_item(
        pk=pk,
        sk=f"EVENT#{record.sequence:06d}",
        version=record.sequence,
        type=record.type,
        occurred_at=record.occurred_at.isoformat(),
        cause=record.cause,
        actor=record.actor,
        body=record.data,
        previous_hash=record.previous_hash,
        hash=record.hash,
    )


def recorded(subject_id: str, item: Item) -> Recorded:
    """The event in a row, of the deal or the policy with this id."""
    return Recorded(
        deal_id=subject_id,
        sequence=int(item["version"]["N"]),
        type=item["type"]["S"],
        occurred_at=datetime.fromisoformat(item["occurred_at"]["S"]),
        cause=item["cause"]["S"],
        actor=item["actor"]["S"],
        data=item["body"]["S"],
        previous_hash=text_of(item, "previous_hash") or "",
        hash=item["hash"]["S"],
    )


def claim_key(cause: Cause) -> tuple[str, str]:
    return f"CLAIM#{cause.source}#{cause.id}", "CLAIM"


def claim_item(cause: Cause, subject_id: str, version: int, now: datetime) -> Item:
    """The claim of a deal's or a policy's cause, with the version right after the change."""
    pk, sk = claim_key(cause)
    return new_item(
        pk=pk,
        sk=sk,
        deal_id=subject_id,
        version=version,
        payload_hash=cause.payload_hash,
        occurred_at=now.isoformat(),
    )


def replay(claim: Item, cause: Cause) -> Exception:
    if text_of(claim, "payload_hash") != cause.payload_hash:
        return CauseReused(f"{cause} was used before with another request; use a new key for a new request")
    return AlreadyHandled(claim["deal_id"]["S"], int(claim["version"]["N"]))


def commit(
    dynamodb: Any, table: str, claim: Item, writes: Sequence[tuple[Item, Condition]], cause: Cause, subject: str
) -> None:
    """Writes the claim and everything else, all or nothing. `subject` names in messages what is changed.

    Raises `AlreadyHandled`, `CauseReused`, `VersionMoved` when a condition does not hold, `TooLarge`, `TableBusy`.
    """
    puts = [_put(table, claim, NEW | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"})]
    puts.extend(_put(table, item, condition) for item, condition in writes)
    claimed = transact(dynamodb, puts, subject)
    if claimed is not None:
        raise replay(claimed or _read(dynamodb, table, cause), cause)


def transact(dynamodb: Any, writes: Sequence[dict[str, Any]], subject: str) -> Item | None:
    """Carries out all of the writes or none. None when they are done; when the condition of the first one does not
    hold, the item that stands in its place, empty where the table does not show it.

    Raises `VersionMoved` when another condition does not hold, `TooLarge`, `TableBusy`.
    """
    # One token for all attempts: if the answer to the first was lost, the second is the same transaction.
    token = str(uuid.uuid4())
    for attempt in range(ATTEMPTS):
        try:
            dynamodb.transact_write_items(TransactItems=writes, ClientRequestToken=token)
        except ClientError as error:
            stands = _explain(error, subject)
            if stands is not None:
                return stands
        except BotoCoreError as error:
            raise busy(error) from error
        else:
            return None
        pause(attempt)
    raise TableBusy(f"transactions on {subject} kept colliding; try again")


def _put(table: str, item: Item, condition: Condition) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": item, **condition}}


def _explain(error: ClientError, subject: str) -> Item | None:
    """What stands where the first write should go, empty where the table does not show it; raises what else is proved.

    None when nothing is proved, and the transaction may be tried again.
    """
    reasons: list[dict[str, Any]] = error.response.get("CancellationReasons") or []
    codes = [reason.get("Code") for reason in reasons]
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if codes and codes[0] == "ConditionalCheckFailed":
        return reasons[0].get("Item") or {}
    if "ConditionalCheckFailed" in codes:
        raise VersionMoved(f"{subject} was changed by somebody else; read it again") from error
    if "ValidationError" in codes or code == "ValidationException":
        raise TooLarge(f"the table refuses the change: {message}") from error
    if _TRANSIENT.isdisjoint([code, *codes]):
        raise busy(error) from error
    return None


def _read(dynamodb: Any, table: str, cause: Cause) -> Item:
    try:
        answer = dynamodb.get_item(TableName=table, Key=key_of(*claim_key(cause)), ConsistentRead=True)
    except (ClientError, BotoCoreError) as error:
        raise busy(error) from error
    if "Item" not in answer:
        raise TableBusy(f"the claim of {cause} cannot be read; try again")
    found: Item = answer["Item"]
    return found


def busy(error: ClientError | BotoCoreError) -> TableBusy:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    return TableBusy(f"the table did not answer: {code}")


def pause(attempt: int) -> None:
    time.sleep(random.uniform(0, 0.02 * 2**attempt))


def require_room(subject: str, items: Sequence[Item], cure: str, pointer: str, spare_bytes: int = 0) -> None:
    """Raises `TooLarge` for what one item or one transaction cannot hold, before anything is written.

    The first item is to grow by `spare_bytes`.
    """
    texts = [(text_of(item, "body") or "", text_of(item, "summary") or "") for item in items]
    sizes = [len(body.encode()) + len(summary.encode()) + ROW_OVERHEAD_BYTES for body, summary in texts]
    sizes[0] += spare_bytes
    if max(sizes) > ITEM_LIMIT_BYTES or sum(sizes) > TRANSACTION_LIMIT_BYTES:
        raise TooLarge(
            f"{subject} would need {max(sizes):,} bytes in one item of the table, which holds at most "
            f"{ITEM_LIMIT_BYTES:,}; {cure}",
            pointer=pointer,
        )
