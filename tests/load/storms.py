"""Storms: what a vendor, a mass update in the CRM or an eager crowd can send in one moment, and what may come of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import count, cycle, islice
from typing import Any

from local.people import PATHS
from local.stack import Stack, StackFailed, call
from local.tokens import SALESFORCE_ORGANIZATION
from local.twins.salesforce_outbound import HEADERS as SOAP
from local.twins.salesforce_outbound import acknowledged, envelope
from local.twins.salesforce_schema import SCHEMA
from local.twins.stripe import stripe_signature
from tests.load.answers import Answers
from tests.load.crowd import A_MESSAGE, Crowd
from tests.load.quotes import BLOCKED, NEEDS_BOTH, PASSES, an_opportunity
from tests.load.storm import PATIENCE_SECONDS, Sent, Storm, blow, not_once, not_taken, post, secret
from tests.load.table import events_of

CONNECTIONS, SENDERS = 8, 4
SALESFORCE_TRIES = 40
# The twin counts its notifications from the milliseconds of its start, in ten digits.
OTHER_NUMBERS = (time.time_ns() // 1_000_000 + 5 * 10**9) % 10**10
# What may follow from the money of one deal: claims and events up to the draft of its invoice.
ITEMS_OF_A_PAYMENT = 8
# A notification is claimed and recorded, and so is the reading that it asks for.
ITEMS_OF_A_NOTIFICATION = 4
ITEMS_OF_A_DEAL = 80
SLOW_SECONDS = 4.0
SLOW_CALLS = {"docusign": "POST /restapi", "stripe": "POST /v1/checkout/sessions", "quickbooks": "/invoice"}
HOT_REQUESTS = 320
# One that lost a race, or came after the decision, or from somebody who has an interest by then.
EXPECTED_OF_A_HOT_DEAL = frozenset({200, 403, 409})


class Storms:
    """Each method is a storm; deals that it makes are added to the crowd's, and are closed like them."""

    def __init__(self, stack: Stack, answers: Answers) -> None:
        self.stack, self.answers, self.crowd = stack, answers, Crowd(stack, answers, "storm")
        self._numbers = count(OTHER_NUMBERS)

    def duplicates(self, count: int) -> Storm:
        """Stripe sends one event `count` times by many connections; the money is recorded once."""
        deal_id, body = self._paid_unheard()
        key = secret(self.stack, "stripe")["webhook_secrets"][0]
        url = f"{self.stack.api_url}/webhooks/stripe"

        def send() -> Sent:
            headers = {
                "Content-Type": "application/json",
                "Stripe-Signature": stripe_signature(key, int(time.time()), body),
            }
            return post(self.answers, "POST /webhooks/stripe", url, headers, body)

        def wrong(answers: Sequence[Sent]) -> list[str]:
            found = not_taken(status == 200 for status, _ in answers)
            return found + not_once(events_of(self.stack, deal_id), "payment.succeeded", "invoice.staged")

        return blow(
            self.stack,
            "duplicates of one webhook",
            [send] * count,
            connections=CONNECTIONS,
            most_items=ITEMS_OF_A_PAYMENT,
            wrong=wrong,
        )

    def notifications(self, count: int) -> Storm:
        """A mass update in Salesforce tells of the same hundred records again and again, a hundred a message."""
        records = self._opportunities(min(count, A_MESSAGE), BLOCKED, "evaluated")
        deals = [f"sf-{record['Id']}" for record in records]
        before = [len(events_of(self.stack, deal_id)) for deal_id in deals]
        messages = count // len(records)

        def wrong(answers: Sequence[Sent]) -> list[str]:
            found = not_taken(acknowledged(*answer) for answer in answers)
            for deal_id, known in zip(deals, before, strict=True):
                events = events_of(self.stack, deal_id)[known:]
                if events.count("deal.received") != messages:
                    found.append(f"{deal_id} was told {messages} times and noted {events.count('deal.received')}")
                if again := {"deal.evaluated", "approval.requested", "document.requested"} & set(events):
                    found.append(f"{deal_id} has not changed, and yet there is {', '.join(sorted(again))}")
            return found

        return blow(
            self.stack,
            "outbound-message notifications",
            [lambda: self._tell(records)] * messages,
            connections=SENDERS,
            most_items=ITEMS_OF_A_NOTIFICATION * count,
            wrong=wrong,
            sent=messages * len(records),
        )

    def slow_vendors(self, count: int) -> Storm:
        """DocuSign, Stripe and QuickBooks answer after seconds: each deal waits, and is still done once."""
        before = set(self.crowd.deals)
        for twin, match in SLOW_CALLS.items():
            slow = {"match": match, "kind": "slow", "seconds": SLOW_SECONDS, "times": 100 * count}
            self.stack.twin(twin, "faults", "POST", [slow])

        def send() -> Sent:
            self.crowd.arrive(count)
            self.crowd.work(PATIENCE_SECONDS)
            return 200, b""

        def wrong(_: Sequence[Sent]) -> list[str]:
            for twin in SLOW_CALLS:
                self.stack.twin(twin, "faults", "POST", [])
            return self._not_closed(set(self.crowd.deals) - before)

        return blow(
            self.stack,
            "slow vendors",
            [send],
            connections=1,
            most_items=ITEMS_OF_A_DEAL * count,
            wrong=wrong,
            sent=count,
        )

    def hot_deal(self, count: int = HOT_REQUESTS) -> Storm:
        """Clicks, edits, messages and looks meet at one deal in the same seconds."""
        record = self._opportunities(1, NEEDS_BOTH, "pending_approval")[0]
        deal_id = f"sf-{record['Id']}"
        deal = self._deal(deal_id)
        acts = (
            lambda: self._click(deal, "finance"),
            lambda: self._edit(deal_id),
            lambda: self._tell([record]),
            lambda: self._click(deal, "executive"),
            lambda: self._look(deal_id),
        )

        def wrong(answers: Sequence[Sent]) -> list[str]:
            statuses = {status for status, _ in answers} - EXPECTED_OF_A_HOT_DEAL
            self.crowd.deals[deal_id] = PATHS["standard"]
            self.crowd.work(PATIENCE_SECONDS)
            found = [f"an answer was {status}" for status in sorted(statuses)] + self._not_closed({deal_id})
            once = ("document.sent", "payment.succeeded", "invoice.posted")
            return found + not_once(events_of(self.stack, deal_id), *once)

        return blow(
            self.stack,
            "a hot deal",
            list(islice(cycle(acts), count)),
            connections=CONNECTIONS,
            most_items=ITEMS_OF_A_DEAL + ITEMS_OF_A_NOTIFICATION * count,
            wrong=wrong,
        )

    # -- what people and vendors do

    def _tell(self, records: Sequence[dict[str, Any]]) -> Sent:
        """One outbound message with new ids, sent until it is acknowledged, as Salesforce does."""
        url = f"{self.stack.api_url}/webhooks/salesforce/{secret(self.stack, 'salesforce')['path_secret']}"
        host, schema = self.stack.twins["salesforce"], SCHEMA["Opportunity"]
        body = envelope(SALESFORCE_ORGANIZATION, host, schema, records, self._numbers)
        for _ in range(SALESFORCE_TRIES):
            sent = post(self.answers, "POST /webhooks/salesforce", url, SOAP, body)
            if acknowledged(*sent):
                break
        return sent

    def _click(self, deal: dict[str, Any], step: str) -> Sent:
        body = {"step": step, "decision": "approve", "fingerprint": deal["fingerprint"]}
        decider = self.crowd.finance if step == "finance" else self.crowd.executive
        answer = decider.ask("POST", "/deals/{deal_id}/approvals", body, deal_id=deal["deal_id"])
        return answer.status, answer.body

    def _edit(self, deal_id: str) -> Sent:
        seen = {"If-Match": f'"{self._deal(deal_id)["version"]}"'}
        answer = self.crowd.desk.ask("PATCH", "/deals/{deal_id}", {"name": "Hot"}, seen, deal_id=deal_id)
        return answer.status, answer.body

    def _look(self, deal_id: str) -> Sent:
        answer = self.crowd.auditor.ask("GET", "/deals/{deal_id}", deal_id=deal_id)
        return answer.status, answer.body

    def _opportunities(self, count: int, terms: int, stage: str) -> list[dict[str, Any]]:
        """Records in Salesforce whose deals have been judged, and are at `stage`."""
        ids = [an_opportunity(self.crowd.act, number, terms) for number in range(count)]
        self.stack.twin("salesforce", "act/submit_many", "POST", {"opportunity_ids": ids})
        for one in ids:
            self._until(lambda one=one: self._deal(f"sf-{one}").get("stage") == stage, "be judged")  # type: ignore[misc]
        known = {record["Id"]: record for record in self.stack.twin("salesforce", "state")["Opportunity"]}
        return [known[one] for one in ids]

    def _paid_unheard(self) -> tuple[str, bytes]:
        """A deal whose customer has paid, and the event that Stripe could not deliver yet."""
        deal_id = self.crowd.post(0, PASSES)
        self.crowd.deals[deal_id] = PATHS["standard"]
        self.stack.twin("stripe", "delivery", "POST", {"drop": True})
        self._until(lambda: bool(self._sessions(deal_id)), "be asked for money", self.crowd.customers[-1].sign)
        session = self._sessions(deal_id)[0]["id"]
        self.stack.twin("stripe", "act/pay", "POST", {"session_id": session, "method": "card"})
        self.stack.twin("stripe", "delivery", "POST", {})
        events = self.stack.twin("stripe", "state")["events"]
        event = next(e["id"] for e in events if e["object"] == session and e["type"] == "checkout.session.completed")
        key = {"Authorization": f"Bearer {secret(self.stack, 'stripe')['api_key']}"}
        return deal_id, call("GET", f"{self.stack.twins['stripe']}/v1/events/{event}", headers=key).body

    def _sessions(self, deal_id: str) -> list[dict[str, Any]]:
        found = self.stack.twin("stripe", "state")["sessions"]
        return [one for one in found if one["client_reference_id"] == deal_id and one["status"] == "open"]

    def _deal(self, deal_id: str) -> dict[str, Any]:
        answer = self.crowd.auditor.ask("GET", "/deals/{deal_id}", deal_id=deal_id)
        return dict(answer.json()) if answer.status == 200 else {}

    def _not_closed(self, deals: set[str]) -> list[str]:
        stages = self.crowd.stages()
        return [f"{deal_id} ended as {stages.get(deal_id)}" for deal_id in deals if stages.get(deal_id) != "closed"]

    def _until(self, true: Callable[[], bool], what: str, act: Callable[[], object] = lambda: None) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not true():
            if time.monotonic() > deadline:
                raise StackFailed(f"a deal did not {what} within {PATIENCE_SECONDS:.0f} s")
            act()
            time.sleep(0.5)
