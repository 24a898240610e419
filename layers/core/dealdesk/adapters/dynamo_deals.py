"""Deals in DynamoDB: one consistent read, and one transaction for everything that a cause changes."""

from __future__ import annotations

import random
import time
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pynamodb.constants import ALL_OLD
from pynamodb.exceptions import GetError, PynamoDBException, QueryError, TransactWriteError
from pynamodb.transactions import TransactWrite

from dealdesk.adapters import codec
from dealdesk.adapters.rows import Row, bound_to
from dealdesk.domain.chain import Recorded, link
from dealdesk.domain.deal import Deal, DealId, waits_for
from dealdesk.domain.events import Event
from dealdesk.domain.fold import fold
from dealdesk.errors import AlreadyHandled, CauseReused, DealUnknown, TableBusy, TooLarge, VersionMoved
from dealdesk.ports import Cause, DealSummary

ITEM_LIMIT_BYTES = 400 * 1024
TRANSACTION_LIMIT_BYTES = 4 * 1024 * 1024
ROW_OVERHEAD_BYTES = 2 * 1024
SPREAD = 4
ATTEMPTS = 6

_TRANSIENT = {
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "TransactionInProgress",
}


class DynamoDeals:
    """The `Deals` port. A deal that waits longer than `silent_after_seconds` for an outside system is asked about."""

    def __init__(self, table_name: str, silent_after_seconds: int) -> None:
        self._row = bound_to(table_name)
        self._silent_after = timedelta(seconds=silent_after_seconds)

    def load(self, deal_id: str, cause: Cause | None = None, *, or_new: bool = False) -> Deal:
        snapshot, claim = self._read(deal_id, cause)
        if claim is not None and cause is not None:
            raise _replay(claim, cause)
        if snapshot is not None and snapshot.body is not None:
            return codec.parse(snapshot.body, Deal)
        if or_new:
            return Deal(DealId(deal_id))
        raise DealUnknown(f"no deal {deal_id}")

    def save(self, deal: Deal, events: Sequence[Event], *, cause: Cause, actor: str, now: datetime) -> Deal:
        if not events:
            self._commit(self._claim(deal, cause, now), None, [], seen_version=deal.version, cause=cause)
            return deal
        records = _chained(deal, events, str(cause), actor, now)
        folded = fold(deal, events, now)
        after = replace(folded, version=records[-1].sequence, last_hash=records[-1].hash)
        snapshot = self._snapshot(after, now)
        rows = [self._event(record) for record in records]
        _check_size(deal.id, [snapshot, *rows])
        self._commit(self._claim(after, cause, now), snapshot, rows, seen_version=deal.version, cause=cause)
        return after

    def history(self, deal_id: str, *, until: datetime | None = None) -> list[Recorded]:
        try:
            rows = self._row.query(_deal_key(deal_id), self._row.sk.startswith("EVENT#"), consistent_read=True)
            records = [_recorded(deal_id, row) for row in rows]
        except QueryError as error:
            raise TableBusy(f"the table did not answer: {error.cause_response_code}") from error
        if not records:
            raise DealUnknown(f"no deal {deal_id}")
        return [record for record in records if until is None or record.occurred_at <= until]

    def as_of(self, deal_id: str, *, version: int | None = None, at: datetime | None = None) -> Deal:
        deal = Deal(DealId(deal_id))
        for record in self.history(deal_id, until=at):
            if version is not None and record.sequence > version:
                break
            deal = fold(deal, [codec.parse_event(record.type, record.data)], record.occurred_at)
            deal = replace(deal, version=record.sequence, last_hash=record.hash)
        return deal

    def _read(self, deal_id: str, cause: Cause | None) -> tuple[Row | None, Row | None]:
        keys = [(_deal_key(deal_id), "DEAL")]
        if cause is not None:
            keys.append(_claim_key(cause))
        try:
            found = {row.sk: row for row in self._row.batch_get(keys, consistent_read=True)}
        except (GetError, PynamoDBException) as error:
            raise TableBusy(f"the table did not answer: {error.cause_response_code}") from error
        return found.get("DEAL"), found.get("CLAIM")

    def _claim(self, after: Deal, cause: Cause, now: datetime) -> Row:
        return self._row(
            *_claim_key(cause),
            deal_id=after.id,
            version=after.version,
            payload_hash=cause.payload_hash,
            occurred_at=now.isoformat(),
        )

    def _commit(self, claim: Row, snapshot: Row | None, events: list[Row], *, seen_version: int, cause: Cause) -> None:
        row = self._row
        unmoved = row.pk.does_not_exist() if seen_version == 0 else row.version == seen_version
        # One token for all attempts: if the answer to the first was lost, the second is the same transaction.
        token = str(uuid.uuid4())
        # The model's own connection: a second one would be a second client to build in every cold start.
        connection = row._get_connection().connection
        for attempt in range(ATTEMPTS):
            try:
                with TransactWrite(connection=connection, client_request_token=token) as transaction:
                    transaction.save(claim, condition=row.pk.does_not_exist(), return_values=ALL_OLD)
                    if snapshot is not None:
                        transaction.save(snapshot, condition=unmoved)
                    for event in events:
                        transaction.save(event, condition=row.pk.does_not_exist())
            except TransactWriteError as error:
                self._explain(error, claim, cause)
            except PynamoDBException as error:
                raise TableBusy(f"the table did not answer: {error.cause_response_code}") from error
            else:
                return
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise TableBusy(f"transactions on deal {claim.deal_id} kept colliding; try again")

    def _explain(self, error: TransactWriteError, claim: Row, cause: Cause) -> None:
        """Raises what a cancelled transaction proves; returns when it proves nothing and may be tried again."""
        codes = [reason.code if reason else None for reason in error.cancellation_reasons]
        if codes and codes[0] == "ConditionalCheckFailed":
            reason = error.cancellation_reasons[0]
            if reason is not None and reason.raw_item:
                kept = self._row()
                kept.from_dynamodb_dict(reason.raw_item)
                raise _replay(kept, cause) from error
            raise _replay(self._row.get(claim.pk, claim.sk, consistent_read=True), cause) from error
        if "ConditionalCheckFailed" in codes:
            raise VersionMoved(f"deal {claim.deal_id} was changed by somebody else; read it again") from error
        if "ValidationError" in codes or error.cause_response_code == "ValidationException":
            raise TooLarge(f"the table refuses the change: {error.cause_response_message}") from error
        if not any(code in _TRANSIENT for code in codes) and error.cause_response_code not in (
            "TransactionConflictException",
            "TransactionInProgressException",
            "ThrottlingException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "InternalServerError",
        ):
            raise TableBusy(f"the table did not answer: {error.cause_response_code}") from error

    def _snapshot(self, deal: Deal, now: datetime) -> Row:
        shard = zlib.crc32(deal.id.encode()) % SPREAD
        waits = waits_for(deal)
        return self._row(
            _deal_key(deal.id),
            "DEAL",
            version=deal.version,
            body=codec.dump(deal),
            list_key=f"DEALS#{shard}",
            updated_at=now.isoformat(),
            summary=codec.dump(_summary(deal, now)),
            due_key=f"DUE#{shard}" if waits else None,
            due_at=(now + self._silent_after).isoformat() if waits else None,
            waits_for=waits,
        )

    def _event(self, record: Recorded) -> Row:
        return self._row(
            _deal_key(record.deal_id),
            f"EVENT#{record.sequence:06d}",
            version=record.sequence,
            type=record.type,
            occurred_at=record.occurred_at.isoformat(),
            cause=record.cause,
            actor=record.actor,
            body=record.data,
            previous_hash=record.previous_hash,
            hash=record.hash,
        )


def _deal_key(deal_id: str) -> str:
    return f"DEAL#{deal_id}"


def _claim_key(cause: Cause) -> tuple[str, str]:
    return f"CLAIM#{cause.source}#{cause.id}", "CLAIM"


def _replay(claim: Row, cause: Cause) -> Exception:
    if claim.payload_hash != cause.payload_hash:
        return CauseReused(f"{cause} was used before with another request; use a new key for a new request")
    return AlreadyHandled(str(claim.deal_id), int(claim.version or 0))


def _chained(deal: Deal, events: Sequence[Event], cause: str, actor: str, now: datetime) -> list[Recorded]:
    records: list[Recorded] = []
    previous, sequence = deal.last_hash, deal.version
    for event in events:
        sequence += 1
        record = link(deal.id, sequence, event.TYPE, now, cause, actor, codec.dump(event), previous)
        records.append(record)
        previous = record.hash
    return records


def _recorded(deal_id: str, row: Row) -> Recorded:
    return Recorded(
        deal_id=deal_id,
        sequence=int(row.version or 0),
        type=str(row.type),
        occurred_at=datetime.fromisoformat(str(row.occurred_at)),
        cause=str(row.cause),
        actor=str(row.actor),
        data=str(row.body),
        previous_hash=str(row.previous_hash or ""),
        hash=str(row.hash),
    )


def _check_size(deal_id: str, rows: list[Row]) -> None:
    sizes = [len((row.body or "").encode()) + len(row.summary or "") + ROW_OVERHEAD_BYTES for row in rows]
    if max(sizes) > ITEM_LIMIT_BYTES or sum(sizes) > TRANSACTION_LIMIT_BYTES:
        raise TooLarge(
            f"deal {deal_id} would need {max(sizes):,} bytes in one item of the table, which holds at most "
            f"{ITEM_LIMIT_BYTES:,}; split the quote or shorten its texts",
            pointer="/lines",
        )


def _summary(deal: Deal, now: datetime) -> DealSummary:
    total = deal.quote.net_total if deal.quote else None
    return DealSummary(
        deal_id=deal.id,
        name=deal.quote.name if deal.quote else "",
        stage=deal.stage.value,
        owner_id=deal.owner_id,
        crm=deal.crm.system if deal.crm else None,
        outcome=deal.decision.outcome.value if deal.decision else None,
        total_minor=total.amount_minor if total else None,
        currency=total.currency if total else None,
        updated_at=now.isoformat(),
    )
