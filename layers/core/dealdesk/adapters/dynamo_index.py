"""The lists of deals: newest first for people, silent ones for the chase. Read from indexes with a spread key."""

from __future__ import annotations

import base64
import binascii
import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta

from pynamodb.exceptions import PynamoDBException

from dealdesk.adapters import codec
from dealdesk.adapters.dynamo_deals import SPREAD
from dealdesk.adapters.rows import bound_to
from dealdesk.errors import Malformed, TableBusy
from dealdesk.ports import DealSummary, SilentDeal


class DynamoDealIndex:
    """The `DealIndex` port; eventually consistent, as the table's indexes are."""

    def __init__(self, table_name: str) -> None:
        self._row = bound_to(table_name)

    def page(
        self,
        *,
        stage: str | None,
        owner: str | None,
        crm: str | None,
        updated_since: str | None,
        cursor: str | None,
        limit: int,
    ) -> tuple[list[DealSummary], str | None]:
        before = _decoded(cursor)
        shards = [self._shard(shard, updated_since, before) for shard in range(SPREAD)]
        newest_first = heapq.merge(*shards, key=_position, reverse=True)
        wanted: list[DealSummary] = []
        try:
            for summary in newest_first:
                if before and _position(summary) >= before:
                    continue
                if stage in (None, summary.stage) and owner in (None, summary.owner_id) and crm in (None, summary.crm):
                    wanted.append(summary)
                if len(wanted) > limit:
                    break
        except PynamoDBException as error:
            raise TableBusy(f"the table did not answer: {error.cause_response_code}") from error
        if len(wanted) <= limit:
            return wanted, None
        return wanted[:limit], _encoded(wanted[limit - 1])

    def silent(self, now: datetime, limit: int) -> list[SilentDeal]:
        found: list[SilentDeal] = []
        for shard in range(SPREAD):
            due = self._row.due_at <= now.isoformat()
            for row in self._row.by_due.query(f"DUE#{shard}", due, limit=limit - len(found)):
                found.append(SilentDeal(row.pk.removeprefix("DEAL#"), str(row.waits_for), str(row.due_at)))
        return found

    def rounds(self, now: datetime, most: int) -> list[str]:
        found: list[tuple[str, str]] = []
        for shard in range(SPREAD):
            due = self._row.due_at <= now.isoformat()
            for row in self._row.by_due.query(f"ROUNDS#{shard}", due, limit=most):
                found.append((str(row.due_at), row.pk.removeprefix("DEAL#")))
        return [deal_id for _, deal_id in sorted(found)[:most]]

    def waiting(self, now: datetime, silent_after: timedelta) -> tuple[int, int]:
        """How many deals wait for an outside system, and for how many seconds the longest of them has."""
        number, dues = 0, []
        for shard in range(SPREAD):
            rows = [str(row.due_at) for row in self._row.by_due.query(f"DUE#{shard}", attributes_to_get=["due_at"])]
            number += len(rows)
            dues += rows[:1]
        if not dues:
            return 0, 0
        # A dispute is asked about less often than anything else: it is no intent that is late.
        since = datetime.fromisoformat(min(dues)) - silent_after
        return number, max(0, int((now - since).total_seconds()))

    def _shard(self, shard: int, since: str | None, before: tuple[str, str] | None) -> Iterator[DealSummary]:
        updated = self._row.updated_at
        # Times are ISO text: "0" sorts before and "9999" after every one of them.
        first, last = since or "0", before[0] if before else "9999"
        if first > last:
            return
        condition = updated.between(first, last)
        rows = self._row.by_update.query(f"DEALS#{shard}", condition, scan_index_forward=False, page_size=100)
        for row in rows:
            yield codec.parse(str(row.summary), DealSummary)


def _position(summary: DealSummary) -> tuple[str, str]:
    return summary.updated_at, summary.deal_id


def _encoded(summary: DealSummary) -> str:
    return base64.urlsafe_b64encode("|".join(_position(summary)).encode()).decode()


def _decoded(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    try:
        updated_at, bar, deal_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        datetime.fromisoformat(updated_at)
    except (binascii.Error, ValueError):
        bar = deal_id = ""
    if not (bar and deal_id):
        raise Malformed("the cursor is none that a page gave; leave it out to start anew", pointer="cursor")
    return updated_at, deal_id
