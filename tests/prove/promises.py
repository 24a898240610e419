"""What the desk promises, checked against what stands in the table and at the vendors, never by the desk's own word."""

from __future__ import annotations

import copy
import json
from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from dealdesk.adapters import codec
from dealdesk.adapters.claims import recorded
from dealdesk.contracts.bus import public_data
from dealdesk.domain import events as e
from dealdesk.domain.chain import Recorded, first_break, link
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.decision import Outcome
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.fold import fold
from dealdesk.domain.money import format_money
from dealdesk.domain.stages import Effect, EnvelopeStatus, InvoiceStatus, PaymentStatus, Stage
from tests.prove.world import Letter, World

FINISHED = frozenset({Stage.CLOSED, Stage.REJECTED, Stage.RECALLED, Stage.EXPIRED, Stage.LOST})
LIVE = ("sent", "delivered", "completed")


class Broken(Exception):
    """A promise does not hold; the message says which and how."""


class Promises:
    """Follows every event row from the table's stream, and looks at the vendors after every step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.deals: dict[str, Deal] = {}
        self.histories: dict[str, list[Recorded]] = defaultdict(list)
        self.approved: dict[str, dict[str, Deal]] = defaultdict(dict)
        self.attempted: set[str] = set()
        self.causes: set[str] = set()
        self._read = 0
        self._invoices: dict[str, Any] = {}
        self._defects = 0
        world.hooks.append(self._an_accepted_letter_has_its_effect)

    def check(self) -> None:
        touched = self._follow()
        for deal_id in touched:
            self._snapshot_is_the_fold(deal_id)
        self._vendors()
        for refused in self.world.refused:
            if not refused.startswith("docusign") or "too far from now" not in refused:
                raise Broken(f"a genuine letter was refused: {refused}")
        if len(self.world.defects) > self._defects:
            self._defects = len(self.world.defects)
            raise Broken(f"a function failed with a defect:\n{self.world.defects[-1]}")

    # -- events and snapshots

    def _follow(self) -> set[str]:
        touched: set[str] = set()
        stream = self.world.table.stream
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
        return touched

    def _append(self, deal_id: str, record: Recorded) -> None:
        history = self.histories[deal_id]
        before = self.deals.get(deal_id, Deal(DealId(deal_id)))
        previous = history[-1].hash if history else ""
        fields = (record.type, record.occurred_at, record.cause, record.actor, record.data)
        if record != link(deal_id, len(history) + 1, *fields, previous):
            raise Broken(f"the chain of deal {deal_id} breaks at event {record.sequence}, {record.type}")
        before_it = history[-1] if history else record
        again = record.cause in self.causes and (record.cause, record.occurred_at) != (
            before_it.cause,
            before_it.occurred_at,
        )
        if again:
            raise Broken(f"{record.cause} changed deal {deal_id} a second time, with event {record.sequence}")
        self.causes.add(record.cause)
        history.append(record)
        event = codec.parse_event(record.type, record.data)
        self._may_happen(before, event, record.occurred_at)
        after = fold(before, [event], record.occurred_at)
        self.deals[deal_id] = after
        if isinstance(event, e.DealApproved):
            self.approved[deal_id][event.certificate.fingerprint] = after

    def _snapshot_is_the_fold(self, deal_id: str) -> None:
        rows = self.world.table.items(f"DEAL#{deal_id}", "DEAL")
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

    def _may_happen(self, deal: Deal, event: e.Event, at: datetime) -> None:
        match event:
            case e.DealApproved(certificate=certificate):
                _require_approval(deal, certificate, at)
            case e.IntentAttempted(key=key):
                self._require_permission(deal, key, at)
                self.attempted.add(key)
            case e.PaymentSucceeded(payment_id=payment_id, amount=amount):
                payment = next(p for p in deal.payments if p.id == payment_id)
                if payment.status is not PaymentStatus.PENDING or payment.amount != amount:
                    raise Broken(f"payment {payment_id} was settled twice, or with another amount")
            case e.InvoicePosted(invoice_id=invoice_id, total_minor=total):
                invoice = next(i for i in deal.invoices if i.draft.invoice_id == invoice_id)
                if invoice.status is not InvoiceStatus.APPROVED or invoice.draft.total_minor != total:
                    raise Broken(f"invoice {invoice_id} was posted twice, unapproved, or with another total")
            case e.InvoiceRejected(invoice_id=invoice_id) | e.InvoiceApproved(invoice_id=invoice_id):
                invoice = next(i for i in deal.invoices if i.draft.invoice_id == invoice_id)
                if invoice.status is InvoiceStatus.POSTED:
                    raise Broken(f"invoice {invoice_id} was changed after it was posted")
            case _:
                return

    def _require_permission(self, deal: Deal, key: str, at: datetime) -> None:
        """An effect needs an approval of exactly these terms; and the customer's signature, if money moves."""
        intent = deal.intent(key)
        if intent is None:
            raise Broken(f"{key} was attempted, but deal {deal.id} did not want it")
        if intent.effect in (Effect.VOID_ENVELOPE, Effect.CANCEL_PAYMENT):
            return
        terms = fingerprint(deal.quote) if deal.quote else None
        certificate = deal.certificate
        if certificate is None or certificate.fingerprint != terms:
            raise Broken(f"{key} was attempted without an approval of its terms")
        if intent.effect is Effect.SEND_ENVELOPE:
            if at > certificate.expires_at:
                raise Broken(f"{key} was attempted after its approval had ended")
        elif deal.envelope is None or (deal.envelope.status, deal.envelope.fingerprint) != (
            EnvelopeStatus.COMPLETED,
            terms,
        ):
            raise Broken(f"{key} was attempted before its terms were signed")

    # -- vendors

    def _vendors(self) -> None:
        twins: dict[str, Any] = self.world.twins
        self._envelopes(twins["docusign"].envelopes.values())
        self._sessions(list(twins["stripe"].payments.sessions.values()))
        self._ledger(twins["quickbooks"].books.tables["Invoice"])

    def _envelopes(self, envelopes: Any) -> None:
        keys: Counter[str] = Counter()
        live: Counter[str] = Counter()
        for envelope in envelopes:
            fields = {text["name"]: text["value"] for text in envelope.text_fields}
            key, deal_id = fields["dealdesk_intent"], fields["deal_id"]
            keys[key] += 1
            revision = key.rsplit(":", 1)[0]
            live[revision] += envelope.status in LIVE
            if keys[key] > 1:
                raise Broken(f"two envelopes were sent for {key}")
            if live[revision] > 1:
                raise Broken(f"two envelopes are live for {revision}")
            if key not in self.attempted:
                raise Broken(f"an envelope was sent for {key}, which nobody had promised")
            shown = {tab["tabLabel"]: tab["value"] for tab in envelope.roles[0]["tabs"]["textTabs"]}
            totals = {format_money(d.quote.net_total) for d in self.approved[deal_id].values() if d.quote}
            if shown["deal_total"] not in totals:
                raise Broken(f"the contract {key} says {shown['deal_total']}, which nobody approved")

    def _sessions(self, sessions: list[Any]) -> None:
        made = Counter(session["metadata"]["payment_id"] for session in sessions)
        paid = Counter(s["metadata"]["deal_id"] for s in sessions if s["payment_status"] == "paid")
        for payment_id, number in made.items():
            if number > 1:
                raise Broken(f"{number} payment links were made for {payment_id}")
        for deal_id, number in paid.items():
            if number > 1:
                raise Broken(f"the customer of deal {deal_id} paid {number} times")
        for session in sessions:
            if session["metadata"]["intent"] not in self.attempted:
                raise Broken(
                    f"a payment link for {session['metadata']['payment_id']} was made that nobody had promised"
                )
            asked = self._payment(session["metadata"]["deal_id"], session["metadata"]["payment_id"])
            if (asked.amount.amount_minor, asked.amount.currency.lower()) != (
                session["amount_total"],
                session["currency"],
            ):
                raise Broken(f"{asked.id} asks for another amount than the deal")

    def _payment(self, deal_id: str, payment_id: str) -> Any:
        return next(payment for payment in self.deals[deal_id].payments if payment.id == payment_id)

    def _ledger(self, invoices: dict[str, Any]) -> None:
        numbers = Counter(invoice["DocNumber"] for invoice in invoices.values())
        for number, times in numbers.items():
            if times > 1:
                raise Broken(f"invoice {number} was posted {times} times")
        for ledger_id, invoice in invoices.items():
            posted = self._invoices.setdefault(ledger_id, copy.deepcopy(invoice))
            if posted != invoice:
                raise Broken(f"invoice {invoice['DocNumber']} was changed at the ledger after it was posted")
        if len(invoices) > len([key for key in self.attempted if key.startswith("invoice:")]):
            raise Broken("an invoice was posted that nobody had promised")

    # -- messages

    def _an_accepted_letter_has_its_effect(self, letter: Letter, answer: dict[str, Any]) -> None:
        """Nothing is acknowledged and forgotten: it is in the events, in a queue, or a dead letter."""
        self._follow()
        if letter.vendor == "stripe":
            self._money_is_known(json.loads(letter.mail.body), answer)
        elif letter.vendor == "docusign":
            self._signature_is_known(json.loads(letter.mail.body), answer)
        elif letter.vendor == "salesforce":
            self._notifications_are_known(letter.mail.body.decode())

    def _money_is_known(self, message: Any, answer: dict[str, Any]) -> None:
        session = message["data"]["object"]
        if session.get("object") != "checkout.session" or session["payment_status"] != "paid":
            return
        deal_id = session["metadata"]["deal_id"]
        if self.recorded_money(deal_id, session["id"]) or self._waits(session["id"]):
            return
        raise Broken(f"money of {session['metadata']['payment_id']} was acknowledged and is not recorded: {answer}")

    def recorded_money(self, deal_id: str, session_id: str) -> list[Any]:
        known = [codec.parse_event(record.type, record.data) for record in self.histories[deal_id]]
        kinds = (e.PaymentSucceeded, e.PaymentUnmatched)
        return [event for event in known if isinstance(event, kinds) and event.session_id == session_id]

    def _signature_is_known(self, message: Any, answer: dict[str, Any]) -> None:
        envelope_id = message["data"]["envelopeId"]
        summary = message["data"]["envelopeSummary"]
        fields = {text["name"]: text["value"] for text in summary["customFields"]["textCustomFields"]}
        deal = self.deals.get(fields["deal_id"])
        if message["event"] != "envelope-completed" or self._waits(envelope_id):
            return
        if deal is None or deal.intent(fields["dealdesk_intent"]):
            raise Broken(f"the signature of {fields['dealdesk_intent']} was acknowledged and is not recorded: {answer}")
        if deal.envelope and deal.envelope.id == envelope_id and deal.envelope.status is EnvelopeStatus.SENT:
            raise Broken(f"the signature of {fields['dealdesk_intent']} was acknowledged and is not recorded: {answer}")

    def _notifications_are_known(self, body: str) -> None:
        causes = {record.cause for history in self.histories.values() for record in history}
        for part in body.split("<Notification>")[1:]:
            notification = part.partition("<Id>")[2].partition("</Id>")[0]
            own = f"<sf:LastModifiedById>{self.world.secrets['salesforce']['integration_user_id']}<" in part
            if not own and f"salesforce:{notification}" not in causes and not self._waits(notification):
                raise Broken(f"notification {notification} was acknowledged and is not recorded")

    def _waits(self, text: str) -> bool:
        return any(
            text in message.body for queue in self.world.work.values() for message in queue.messages + queue.dead
        )

    # -- when the world is quiet

    def check_the_end(self) -> None:
        for deal_id, history in self.histories.items():
            if (broken := first_break(history)) is not None:
                raise Broken(f"the chain of deal {deal_id} breaks at event {broken}")
            self._is_finished(self.deals[deal_id])
        self._every_event_was_told_as_it_is()
        self._money_adds_up()
        self._contracts_agree()

    def _is_finished(self, deal: Deal) -> None:
        """Finished, or waiting for a person who can be named."""
        open_intents = [intent.key for intent in deal.intents if not intent.failed]
        if open_intents:
            raise Broken(f"deal {deal.id} is {deal.stage} and has unfinished intents: {open_intents}")
        if deal.unread:
            raise Broken(f"deal {deal.id} was submitted and never read")
        blocked = deal.stage is Stage.EVALUATED and deal.decision and deal.decision.outcome is Outcome.BLOCKED
        refused = bool(deal.problem) or any(intent.failed for intent in deal.intents)
        contract_ended = (
            deal.stage is Stage.APPROVED
            and deal.envelope is not None
            and deal.envelope.status in (EnvelopeStatus.DECLINED, EnvelopeStatus.VOIDED, EnvelopeStatus.COMPLETED)
        )
        if not (deal.stage in FINISHED or blocked or refused or contract_ended):
            raise Broken(f"deal {deal.id} stays {deal.stage} for ever, and nobody is asked")

    def _every_event_was_told_as_it_is(self) -> None:
        told = {event["id"]: event for event in self.world.published}
        known = {record.id: record for history in self.histories.values() for record in history}
        for id_, event in told.items():
            if id_ not in known or event["data"] != json.loads(
                json.dumps(public_data(known[id_].type, json.loads(known[id_].data)))
            ):
                raise Broken(f"{id_} was published as {event['type']} and never happened so")
        for id_ in known:
            if id_ not in told:
                raise Broken(f"{id_}, {known[id_].type}, was never published")
        heard = {body["id"] for body in (call["body"] for call in self.world.twins["n8n"].state()["events"])}
        for id_, event in told.items():
            if event["deal_id"] and self.world.goes_to_n8n(event["type"]) and id_ not in heard and not self._waits(id_):
                raise Broken(f"n8n never heard of {id_}, {event['type']}")

    def _money_adds_up(self) -> None:
        twins: dict[str, Any] = self.world.twins
        collected: Counter[tuple[str, str]] = Counter()
        for session in twins["stripe"].payments.sessions.values():
            if session["payment_status"] == "paid":
                collected[session["metadata"]["deal_id"], session["currency"].upper()] += session["amount_total"]
        booked: Counter[tuple[str, str]] = Counter()
        for deal_id, history in self.histories.items():
            for record in history:
                event = codec.parse_event(record.type, record.data)
                if isinstance(event, e.PaymentSucceeded | e.PaymentUnmatched):
                    booked[deal_id, event.amount.currency] += event.amount.amount_minor
        if collected != booked:
            raise Broken(f"money collected {dict(collected)} is not money recorded {dict(booked)}")
        for deal in self.deals.values():
            posted = [i for i in deal.invoices if i.status is InvoiceStatus.POSTED]
            at_ledger = twins["quickbooks"].books.tables["Invoice"].values()
            numbers = Counter(row["DocNumber"] for row in at_ledger)
            for invoice in deal.invoices:
                wanted = 1 if invoice in posted else 0
                if numbers[invoice.draft.number] != wanted:
                    raise Broken(f"invoice {invoice.draft.number} is {invoice.status}, the ledger has another opinion")

    def _contracts_agree(self) -> None:
        twins: dict[str, Any] = self.world.twins
        for envelope in twins["docusign"].envelopes.values():
            fields = {text["name"]: text["value"] for text in envelope.text_fields}
            deal = self.deals[fields["deal_id"]]
            current = deal.envelope is not None and deal.envelope.id == envelope.id
            if not current and envelope.status in ("sent", "delivered"):
                raise Broken(f"{fields['dealdesk_intent']} is out, and deal {deal.id} does not know of it")


def _require_approval(deal: Deal, certificate: e.Certificate, at: datetime) -> None:
    """The certificate is for these terms, in time, and everybody whom the decision asks for has said yes."""
    if deal.quote is None or deal.decision is None or certificate.fingerprint != fingerprint(deal.quote):
        raise Broken(f"deal {deal.id} got a certificate for other terms than its own")
    if deal.decision.outcome is Outcome.BLOCKED:
        raise Broken(f"deal {deal.id} is blocked and was approved")
    granted = {grant.step for grant in certificate.grants}
    if not set(deal.decision.required_steps) <= granted:
        raise Broken(f"deal {deal.id} was approved by {sorted(granted)} only")
    if not granted.isdisjoint({deal.owner_id}) or {grant.by for grant in certificate.grants} & set(deal.editors):
        raise Broken(f"deal {deal.id} was approved by somebody with an interest in it")
