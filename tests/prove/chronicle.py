"""Every event as it came out of the table's stream, and what the deals are by them: not by the desk's own word."""

from __future__ import annotations

import json
from collections import defaultdict

from dealdesk.adapters import codec
from dealdesk.adapters.claims import recorded
from dealdesk.domain import events as e
from dealdesk.domain.chain import Recorded, link
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money
from dealdesk.domain.stages import Effect
from tests.prove.broken import Broken
from tests.prove.may_happen import require_allowed, require_permission
from tests.prove.money_moves import require_unflipped
from tests.prove.table import Table


class Chronicle:
    """`promised` are the keys of effects that were begun: nothing else may stand at a vendor.

    `to_post` is what each of them may bring to the ledger, in minor units, by every name that it goes by there, and
    `to_give_back` what may go back to a payer.
    """

    def __init__(self, table: Table) -> None:
        self.deals: dict[str, Deal] = {}
        self.histories: dict[str, list[Recorded]] = defaultdict(list)
        self.approved: dict[str, dict[str, Deal]] = defaultdict(dict)
        self.causes: set[str] = set()
        self.promised: set[str] = set()
        self.to_post: dict[str, int] = {}
        self.to_give_back: dict[str, Money] = {}
        self._table = table
        self._read = 0

    def follow(self) -> None:
        """Reads on, and compares the snapshot of every deal that moved. Raises `Broken`."""
        touched: set[str] = set()
        stream = self._table.stream
        for record in stream[self._read :]:
            keys = record["dynamodb"]["Keys"]
            pk, sk = keys["pk"]["S"], keys["sk"]["S"]
            if not pk.startswith("DEAL#"):
                continue
            deal_id = pk.removeprefix("DEAL#")
            touched.add(deal_id)
            if sk.startswith("EVENT#"):
                if record["eventName"] != "INSERT":
                    raise Broken(f"event {deal_id} {sk} was changed after it was written")
                self._append(deal_id, recorded(deal_id, record["dynamodb"]["NewImage"]))
        self._read = len(stream)
        for deal_id in sorted(touched):
            self._snapshot_is_the_fold(deal_id)

    def events(self, deal_id: str) -> list[e.Event]:
        return [codec.parse_event(record.type, record.data) for record in self.histories[deal_id]]

    def _append(self, deal_id: str, record: Recorded) -> None:
        history = self.histories[deal_id]
        before = self.deals.get(deal_id, Deal(DealId(deal_id)))
        previous = history[-1].hash if history else ""
        fields = (record.type, record.occurred_at, record.cause, record.actor, record.data)
        if record != link(deal_id, len(history) + 1, *fields, previous):
            raise Broken(f"the chain of deal {deal_id} breaks at event {record.sequence}, {record.type}")
        last = history[-1] if history else record
        if record.cause in self.causes and (record.cause, record.occurred_at) != (last.cause, last.occurred_at):
            raise Broken(f"{record.cause} changed deal {deal_id} a second time, with event {record.sequence}")
        self.causes.add(record.cause)
        history.append(record)
        event = codec.parse_event(record.type, record.data)
        require_allowed(before, event)
        if isinstance(event, e.IntentAttempted):
            require_permission(before, event.key, record.occurred_at)
            self._promise(before, event.key)
        after = fold(before, [event], record.occurred_at)
        require_unflipped(before, after)
        self.deals[deal_id] = after
        if isinstance(event, e.DealApproved):
            self.approved[deal_id][event.certificate.fingerprint] = after

    def _promise(self, deal: Deal, key: str) -> None:
        intent = deal.intent(key)
        assert intent is not None
        self.promised.add(key)
        match intent.effect:
            case Effect.POST_INVOICE:
                draft = next(i.draft for i in deal.invoices if i.draft.invoice_id == intent.subject)
                self.to_post |= {draft.invoice_id: draft.total_minor, draft.number: draft.total_minor}
            case Effect.POST_CREDIT_MEMO:
                memo = next(c.memo for c in deal.credits if c.memo.memo_id == intent.subject)
                self.to_post |= {memo.memo_id: memo.total_minor, memo.number: memo.total_minor}
            case Effect.REFUND_PAYMENT:
                self.to_give_back[key] = next(r.amount for r in deal.refunds if r.key == key)
            case _:
                return

    def _snapshot_is_the_fold(self, deal_id: str) -> None:
        rows = self._table.items(f"DEAL#{deal_id}", "DEAL")
        history = self.histories[deal_id]
        if not rows:
            raise Broken(f"deal {deal_id} has events and no snapshot")
        kept = codec.parse(rows[0]["body"]["S"], Deal)
        if (kept.version, kept.last_hash) != (len(history), history[-1].hash if history else ""):
            raise Broken(f"deal {deal_id} is at version {kept.version} with {len(history)} events")
        want = codec.dump(self.deals[deal_id])
        have = json.loads(codec.dump(kept)) | {"version": 0, "last_hash": ""}
        if have != json.loads(want) | {"version": 0, "last_hash": ""}:
            raise Broken(f"the snapshot of deal {deal_id} is not the fold of its events")
