"""Everybody around the desk: reps submit hundreds of quotes in one moment; approvers, customers and finance follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from local.people import PATHS, People
from local.people import Path as Vendors
from local.stack import Stack, StackFailed
from tests.functions.quotes import a_quote, a_soft_breach
from tests.load.answers import Answers, Person
from tests.load.quotes import NEEDS_BOTH, PASSES, a_hubspot_deal, an_opportunity

# As many quotes come by the CRMs' messages as by REST; three of eight need finance and executive.
KINDS = (
    ("salesforce", PASSES),
    ("rest", PASSES),
    ("salesforce", NEEDS_BOTH),
    ("rest", NEEDS_BOTH),
    ("hubspot", PASSES),
    ("rest", PASSES),
    ("sap", PASSES),
    ("rest", NEEDS_BOTH),
)
REPS = 20
A_MESSAGE = 100
AT_ONCE = 4
PAUSE_SECONDS = 1.0


@dataclass
class Crowd:
    """They act where their work is: in the CRM, on the vendors' pages, by REST with tokens of their own.

    `deals` are the ids of all deals with the vendors that each goes through.
    """

    stack: Stack
    answers: Answers
    name: str = "load"
    deals: dict[str, Vendors] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reps = [self.person(f"person-rep-{number}", "rep") for number in range(REPS)]
        self.finance = self.person("person-finance", "finance")
        self.executive = self.person("person-executive", "executive")
        self.desk = self.person("person-desk", "deal_desk")
        self.auditor = self.person("person-auditor", "auditor")
        self.customers = [self._people(PATHS["hubspot"]), self._people(PATHS["standard"])]

    def act(self, twin: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """What somebody does at a vendor, which is not timed."""
        return dict(self.stack.twin(twin, f"act/{action}", "POST", body))

    def person(self, user: str, role: str) -> Person:
        return Person(self.stack, self.answers, self.stack.token(user, role))

    # -- quotes arrive

    def arrive(self, count: int) -> None:
        """Makes the records in the CRMs, then sends all quotes in one moment."""
        wanted = list(enumerate(islice(cycle(KINDS), count), start=len(self.deals)))
        by_crm: dict[str, list[str]] = {"salesforce": [], "hubspot": []}
        for number, (source, terms) in wanted:
            if source == "hubspot":
                by_crm["hubspot"].append(a_hubspot_deal(self.act, number, terms))
            elif source != "rest":
                ledger = source if source == "sap" else ""
                by_crm["salesforce"].append(an_opportunity(self.act, number, terms, ledger))
                self.deals[f"sf-{by_crm['salesforce'][-1]}"] = PATHS["sap" if ledger else "standard"]
        self.deals |= {f"hs-{record}": PATHS["hubspot"] for record in by_crm["hubspot"]}
        by_rest = [(number, terms) for number, (source, terms) in wanted if source == "rest"]
        with ThreadPoolExecutor(AT_ONCE + len(by_crm)) as pool:
            told = [pool.submit(self._submit, crm, records) for crm, records in by_crm.items()]
            made = [pool.submit(self.post, number, terms) for number, terms in by_rest]
        self.deals |= {one.result(): PATHS["standard"] for one in made}
        for one in told:
            one.result()

    def _submit(self, crm: str, records: Sequence[str]) -> None:
        ids = {"salesforce": "opportunity_ids", "hubspot": "deal_ids"}[crm]
        for start in range(0, len(records), A_MESSAGE):
            self.stack.twin(crm, "act/submit_many", "POST", {ids: records[start : start + A_MESSAGE]})

    def post(self, number: int, terms: int) -> str:
        quote = (a_quote, a_soft_breach)[terms](name=f"Load {number}", owner_id=f"person-rep-{number % REPS}")
        key = {"Idempotency-Key": f"{self.name}-{number}"}
        for _ in range(5):
            answer = self.reps[number % REPS].ask("POST", "/deals", quote, key)
            if answer.status == 201:
                return str(answer.json()["deal_id"])
            time.sleep(PAUSE_SECONDS)
        raise StackFailed(f"POST /deals answered {answer.status}: {answer.body[:300]!r}")

    # -- and go their way

    def work(self, patience_seconds: float) -> dict[str, str]:
        """Lets everybody act until all deals are closed or the time is over; the stage of each deal."""
        deadline = time.monotonic() + patience_seconds
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while True:
                stages = self.stages()
                if all(stages.get(deal_id) == "closed" for deal_id in self.deals) or time.monotonic() > deadline:
                    return stages
                acts: list[Callable[[], object]] = [one.everybody_acts for one in self.customers]
                acts += self._reviews(stages)
                for done in [pool.submit(act) for act in acts]:
                    done.result()
                time.sleep(PAUSE_SECONDS)

    def stages(self) -> dict[str, str]:
        """The stage of every deal, as the list of deals has it."""
        return {line["deal_id"]: line["stage"] for line in self._lines()}

    def _lines(self) -> Iterator[dict[str, Any]]:
        query = ""
        while True:
            answer = self.auditor.ask("GET", f"/deals?limit=100{query}")
            if answer.status != 200:
                return
            page = answer.json()
            yield from page["deals"]
            if not page["next_cursor"]:
                return
            query = f"&cursor={page['next_cursor']}"

    def _reviews(self, stages: dict[str, str]) -> list[Callable[[], object]]:
        """What waits for somebody who works by REST: approvals and draft invoices of deals without a CRM."""
        todo: list[Callable[[], object]] = []
        for deal_id, stage in stages.items():
            if deal_id.startswith("api-") and stage in ("pending_approval", "paid"):
                todo.append(lambda deal_id=deal_id: self._review(deal_id))  # type: ignore[misc]
        return todo

    def _review(self, deal_id: str) -> None:
        answer = self.auditor.ask("GET", "/deals/{deal_id}", deal_id=deal_id)
        if answer.status != 200:
            return
        deal = answer.json()
        for step in deal["open_steps"]:
            decision = {"step": step, "decision": "approve", "fingerprint": deal["fingerprint"]}
            decider = self.finance if step == "finance" else self.executive
            decider.ask("POST", "/deals/{deal_id}/approvals", decision, deal_id=deal_id)
        for invoice in deal["invoices"]:
            if invoice["status"] == "DRAFT":
                self.finance.ask("POST", "/invoices/{invoice_id}/approve", invoice_id=invoice["invoice_id"])

    def _people(self, path: Vendors) -> People:
        return People(path, state=lambda twin: dict(self.stack.twin(twin, "state")), act=self.act)
