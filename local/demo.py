"""The main job, watched: three quotes go through the running system, and every step is shown as it happens."""

import json
import os
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from local.people import NAMES, PATHS, People
from local.people import Path as Vendors
from local.stack import Stack, StackFailed, call

EVENTS = Path(__file__).resolve().parents[1] / "events"
STORIES = (
    "low risk, 15%, net 30: passes by itself",
    "low risk, 25%, net 40: needs finance and executive",
    "medium risk, 27.5%: blocked",
)
WHO = {"finance": "Fiona (finance)", "executive": "Eric (executive)", "invoice": "Fiona (finance)"}
PERSONS = {
    "person-sf-0057F000001repAQAQ": "Rita (rep)",
    "person-sf-0057F000001finAQAQ": "Fiona (finance)",
    "person-sf-0057F000001exeAQAQ": "Eric (executive)",
    "person-hs-7001": "Rita (rep)",
    "person-hs-7002": "Fiona (finance)",
    "person-hs-7003": "Eric (executive)",
}
PATIENCE_SECONDS = 120
POLL_SECONDS = 0.1
COUNTED_SECONDS = 10
QUIET = frozenset({"intent.attempted", "payment.requested", "document.requested", "invoice.posting_requested"})


@dataclass
class Demo:
    """What has been shown of each deal, and since when."""

    stack: Stack
    console: Console
    path: Vendors = PATHS["standard"]
    begun: float = field(default_factory=time.monotonic)
    shown: dict[str, int] = field(default_factory=dict)

    @property
    def people(self) -> People:
        stack = self.stack
        return People(
            self.path,
            state=lambda twin: dict(stack.twin(twin, "state")),
            act=lambda twin, action, body: stack.twin(twin, f"act/{action}", "POST", body),
        )

    def run(self) -> bool:
        """True if two deals were posted once and the third was stopped; every claim is checked at the vendors."""
        self.console.rule(f"Rita submits three quotes in {NAMES[self.path.crm]}")
        self.console.print(f"  {self.path}")
        for deal_id, what in zip(self.path.deals, STORIES, strict=True):
            self.console.print(f"  [bold]{deal_id}[/]  {what}")
        self._submit()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._is_over():
            if time.monotonic() > deadline:
                raise StackFailed(f"the deals did not end within {PATIENCE_SECONDS} s")
            if not (self._show_news() + self._act()):
                time.sleep(POLL_SECONDS)
        self._show_news()
        self._show_end()
        return self._verdict()

    # -- what people do, each at their own vendor

    def _submit(self) -> None:
        """On the usual path by the real message under events/, else as the CRM itself sends it."""
        if self.path == PATHS["standard"]:
            return self._send_message()
        self.people.name_providers()
        self.people.submit()
        return self._say(NAMES[self.path.crm], "Rita presses Submit on three quotes")

    def _send_message(self) -> None:
        """The real message, with the times of now."""
        secret = json.loads(
            self.stack.boto("secretsmanager").get_secret_value(SecretId=self.stack.secrets["salesforce"])[
                "SecretString"
            ]
        )
        body = (EVENTS / "salesforce_quotes_submitted.xml").read_text()
        now = datetime.now(UTC) - timedelta(seconds=1)
        body = re.sub(r"2026-11-22T20:00:0\d\.000Z", now.isoformat(timespec="milliseconds")[:23] + "Z", body)
        url = f"{self.stack.api_url}/webhooks/salesforce/{secret['path_secret']}"
        headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
        answer = call("POST", url, headers=headers, body=body.encode())
        if answer.status != 200 or b"<Ack>true</Ack>" not in answer.body:
            raise StackFailed(f"the desk did not acknowledge the message: {answer.status} {answer.body[:200]!r}")
        self._say("Salesforce", "outbound message with 3 notifications", "acknowledged")

    def _act(self) -> int:
        """Whoever is asked, acts; the number of acts."""
        people, crm = self.people, NAMES[self.path.crm]
        approvals = people.pending_approvals()
        for approval in approvals:
            people.approve(approval)
            self._say(approval["deal_id"], f"{WHO[approval['step']]} presses Approve in {crm}", approval["label"])
        signed, paid = people.sign(), people.pay()
        for contract in signed:
            self._say(NAMES[self.path.signature], "the customer signs", contract)
        for payment in paid:
            self._say(NAMES[self.path.payment], "the customer pays", payment)
        return len(approvals) + len(signed) + len(paid)

    # -- what is shown

    def _show_news(self) -> int:
        news = 0
        for deal_id in self.path.deals:
            answer = self.stack.request("GET", f"/deals/{deal_id}/timeline", token=self._token())
            events = answer.json().get("events", []) if answer.status == 200 else []
            for event in events[self.shown.get(deal_id, 0) :]:
                news += 1
                if event["type"] not in QUIET:
                    self._say(deal_id, event["type"], self._gist(event))
            self.shown[deal_id] = len(events)
        return news

    def _say(self, who: str, what: str, detail: str = "") -> None:
        colour = "red" if what == "guardrail.violated" else "green" if "." in what else "cyan"
        line = f"[dim]{time.monotonic() - self.begun:6.2f} s[/]  {_short(who):12}  [{colour}]{what}[/]"
        self.console.print(f"{line}  [dim]{detail}[/]" if detail else line, highlight=False)

    def _show_end(self) -> None:
        for deal_id, what in zip(self.path.deals, STORIES, strict=True):
            events = self.stack.request("GET", f"/deals/{deal_id}/timeline", token=self._token()).json()["events"]
            table = Table("#", "at", "event", "by", "cause", title=f"{deal_id}: {what}", title_justify="left")
            for event in events:
                by = PERSONS.get(event["actor"], event["actor"])
                table.add_row(str(event["sequence"]), event["occurred_at"][11:23], event["type"], by, event["cause"])
            self.console.print(table)
        reasons, passes = self._told()
        self.console.print(f"[bold]{NAMES[self.path.crm]} shows Rita:[/] {reasons}\n{passes}")

    def _gist(self, event: dict[str, Any]) -> str:
        """The one thing about an event that a reader wants to see."""
        data = event["data"]
        match event["type"]:
            case "deal.evaluated":
                return str(data["decision"]["outcome"])
            case "guardrail.violated":
                return "; ".join(data["messages"])
            case "approval.requested":
                asked = (" and ".join(step["label"] for step in stage["steps"]) for stage in data["stages"])
                return ", then ".join(asked)
            case "approval.granted":
                return f"{data['step']} by {PERSONS.get(data['by'], data['by'])}"
            case "payment.succeeded":
                whole, cents = divmod(data["amount"]["amount_minor"], 100)
                return f"{whole:,}.{cents:02d} {data['amount']['currency']}"
            case "invoice.staged":
                return f"draft {data['draft']['number']}"
            case "invoice.posted":
                return f"{data['number']} as {NAMES[self.path.ledger]} invoice {data['ledger_id']}"
            case _:
                return ""

    # -- what is true

    def _is_over(self) -> bool:
        *to_be_posted, _ = self.path.deals
        stages = [self._deal(deal_id).get("stage") for deal_id in to_be_posted]
        return stages == ["closed", "closed"] and bool(self._told()[1])

    def _verdict(self) -> bool:
        """Counts at the vendors themselves what was done for each deal."""
        told = self.stack.twin("n8n", "state")
        names = (NAMES[vendor] for vendor in (self.path.signature, self.path.payment, self.path.ledger))
        titles = [f"{what} ({name})" for what, name in zip(("contracts", "payments", "invoices"), names, strict=True)]
        table = Table("deal", *titles, title="At the vendors", title_justify="left")
        good, (*to_be_posted, _) = True, self.path.deals
        for deal_id in self.path.deals:
            numbers = [invoice["number"] for invoice in self._deal(deal_id)["invoices"]]
            counts = self.people.effects(deal_id, numbers[-1] if numbers else "")
            good &= counts == ((1, 1, 1) if deal_id in to_be_posted else (0, 0, 0))
            table.add_row(deal_id, *map(str, counts))
        self.console.print(table)
        self.console.print(f"n8n received {told['received']} events, {told['distinct']} of them distinct.")
        self._show_figures()
        self._show_links()
        seconds = time.monotonic() - self.begun
        verdict = "[green]each once, and nothing for the blocked deal[/]" if good else "[red]NOT as it should be[/]"
        self.console.print(f"Quote to posted invoice in {seconds:.1f} s: {verdict}.")
        return good

    def _show_figures(self) -> None:
        """What the dashboard makes of it, as soon as the last step is counted."""
        deadline = time.monotonic() + COUNTED_SECONDS
        while (figures := self._figures())["quote_to_cash"]["q2c_created"]["n"] < 2 and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        touch, cash = figures["touch_rate"], figures["quote_to_cash"]["q2c_created"]
        signed, intents = figures["guardrail_compliance"]["compliant"], figures["idempotency"]["errors"]
        self.console.print(
            f"The dashboard says: {touch['hits']['part']} of {touch['hits']['n']} deals taken up within five minutes, "
            f"{touch['auto']} needed nobody; quote to cash {cash['median_seconds']} s (median of {cash['n']}); "
            f"{signed['part']} of {signed['n']} contracts inside the rules or approved; "
            f"{intents['part']} of {intents['n']} effects happened twice."
        )

    def _figures(self) -> dict[str, Any]:
        answer = self.stack.request("GET", "/sla-dashboard/summary", token=self._token())
        if answer.status != 200:
            raise StackFailed(f"the dashboard answered {answer.status}: {answer.body[:200]!r}")
        return dict(answer.json())

    def _show_links(self) -> None:
        links = [("the API's documentation", f"{self.stack.api_url}/docs")]
        for deal_id in self.path.deals[:2]:
            deal = self._deal(deal_id)
            links.append((f"invoice of {_short(deal_id)}", deal["invoices"][-1]["preview_url"]))
        for what, url in links:
            self.console.print(f"  {what}: {url}", soft_wrap=True, highlight=False)
        if not os.environ.get("KEEP"):
            self.console.print("  (the links work while the system runs: KEEP=1 make demo, or make up)")

    def _deal(self, deal_id: str) -> dict[str, Any]:
        answer = self.stack.request("GET", f"/deals/{deal_id}", token=self._token())
        return dict(answer.json()) if answer.status == 200 else {}

    def _told(self) -> tuple[str, str]:
        """Why the third deal is blocked and what would pass, as the CRM shows it to Rita."""
        blocked, known = self.path.deals[2], self.stack.twin(self.path.crm, "state")
        if self.path.crm == "hubspot":
            shown = [one["properties"] for one in known.get("deals", [])]
            names = ("deal_desk_deal_id", "deal_desk_reasons", "deal_desk_what_would_pass")
        else:
            shown = known.get("Deal_Desk_Deal__c", [])
            names = ("Deal_Id__c", "Reasons__c", "What_Would_Pass__c")
        told = [(one.get(names[1]) or "", one.get(names[2]) or "") for one in shown if one.get(names[0]) == blocked]
        return told[0] if told else ("", "")

    def _token(self) -> str:
        return self.stack.token("person-demo", "auditor")


def _short(deal_id: str) -> str:
    return deal_id[-8:-3] if deal_id.startswith("sf-") else deal_id
