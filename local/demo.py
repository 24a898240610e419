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

from local.stack import Stack, StackFailed, call

EVENTS = Path(__file__).resolve().parents[1] / "events"
PEOPLE = {
    "person-sf-0057F000001repAQAQ": "Rita (rep)",
    "person-sf-0057F000001finAQAQ": "Fiona (finance)",
    "person-sf-0057F000001exeAQAQ": "Eric (executive)",
}
APPROVERS = {"finance": "0057F000001finAQAQ", "executive": "0057F000001exeAQAQ", "invoice": "0057F000001finAQAQ"}
DEALS = {
    "sf-0067F00000deal1QAA": "low risk, 15%, net 30: passes by itself",
    "sf-0067F00000deal2QAA": "low risk, 25%, net 40: needs finance and executive",
    "sf-0067F00000deal3QAA": "medium risk, 27.5%: blocked",
}
TO_BE_POSTED = tuple(DEALS)[:2]
BLOCKED = tuple(DEALS)[2]
PATIENCE_SECONDS = 90
POLL_SECONDS = 0.1
QUIET = frozenset({"intent.attempted", "payment.requested", "document.requested", "invoice.posting_requested"})


@dataclass
class Demo:
    """What has been shown of each deal, and since when."""

    stack: Stack
    console: Console
    begun: float = field(default_factory=time.monotonic)
    shown: dict[str, int] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def run(self) -> bool:
        """True if two deals were posted once and the third was stopped; every claim is checked at the vendors."""
        self.console.rule("Rita submits three quotes in Salesforce")
        for deal_id, what in DEALS.items():
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
        acts = 0
        for approval in self.stack.twin("salesforce", "state").get("Deal_Desk_Approval__c", []):
            key = approval["Approval_Key__c"]
            if approval.get("Status__c") == "Pending" and key not in self.done:
                approver = APPROVERS[approval["Step__c"]]
                self._do(key, "salesforce", "decide", approval_key=key, decision="Approve", user_id=approver)
                who = PEOPLE[f"person-sf-{approver}"]
                self._say(approval["Deal_Id__c"], f"{who} presses Approve in Salesforce", approval["Label__c"])
                acts += 1
        return acts

    def _do(self, once: str, twin: str, action: str, **body: Any) -> None:
        self.done.add(once)
        self.stack.twin(twin, f"act/{action}", "POST", body)

    def _customer_acts(self, deal_id: str, event: dict[str, Any]) -> None:
        data = event["data"]
        if event["type"] == "document.sent":
            self._do(event["id"], "docusign", "complete", envelope_id=data["envelope_id"])
            self._say(deal_id, "the customer signs at DocuSign", data["envelope_id"])
        elif event["type"] == "payment.link_created":
            self._do(event["id"], "stripe", "pay", session_id=data["session_id"], method="card")
            self._say(deal_id, "the customer pays at Stripe", data["session_id"])

    # -- what is shown

    def _show_news(self) -> int:
        news = 0
        for deal_id in DEALS:
            answer = self.stack.request("GET", f"/deals/{deal_id}/timeline", token=self._token())
            events = answer.json().get("events", []) if answer.status == 200 else []
            for event in events[self.shown.get(deal_id, 0) :]:
                news += 1
                if event["type"] not in QUIET:
                    self._say(deal_id, event["type"], _gist(event))
                self._customer_acts(deal_id, event)
            self.shown[deal_id] = len(events)
        return news

    def _say(self, deal_id: str, what: str, detail: str = "") -> None:
        colour = "red" if what == "guardrail.violated" else "green" if "." in what else "cyan"
        line = f"[dim]{time.monotonic() - self.begun:6.2f} s[/]  {_short(deal_id):10}  [{colour}]{what}[/]"
        self.console.print(f"{line}  [dim]{detail}[/]" if detail else line, highlight=False)

    def _show_end(self) -> None:
        for deal_id, what in DEALS.items():
            events = self.stack.request("GET", f"/deals/{deal_id}/timeline", token=self._token()).json()["events"]
            table = Table("#", "at", "event", "by", "cause", title=f"{deal_id}: {what}", title_justify="left")
            for event in events:
                by = PEOPLE.get(event["actor"], event["actor"])
                table.add_row(str(event["sequence"]), event["occurred_at"][11:23], event["type"], by, event["cause"])
            self.console.print(table)
        shown = self._mirrored(BLOCKED)
        self.console.print(f"[bold]Salesforce shows Rita:[/] {shown['Reasons__c']}\n{shown['What_Would_Pass__c']}")

    # -- what is true

    def _is_over(self) -> bool:
        stages = [self._deal(deal_id).get("stage") for deal_id in TO_BE_POSTED]
        told = self._mirrored(BLOCKED)
        return stages == ["closed", "closed"] and bool(told.get("What_Would_Pass__c"))

    def _verdict(self) -> bool:
        """Counts at the vendors themselves what was done for each deal."""
        envelopes = self.stack.twin("docusign", "state")["envelopes"]
        sessions = self.stack.twin("stripe", "state")["sessions"]
        invoices = self.stack.twin("quickbooks", "state")["Invoice"]
        told = self.stack.twin("n8n", "state")
        table = Table("deal", "envelopes", "payments", "posted invoices", title="At the vendors", title_justify="left")
        good = True
        for deal_id in DEALS:
            counts = (
                sum(_text_field(envelope, "deal_id") == deal_id for envelope in envelopes),
                sum(s["client_reference_id"] == deal_id and s["payment_status"] == "paid" for s in sessions),
                sum(deal_id in str(invoice.get("PrivateNote")).split() for invoice in invoices),
            )
            good &= counts == ((1, 1, 1) if deal_id in TO_BE_POSTED else (0, 0, 0))
            table.add_row(deal_id, *map(str, counts))
        self.console.print(table)
        self.console.print(f"n8n received {told['received']} events, {told['distinct']} of them distinct.")
        self._show_links()
        seconds = time.monotonic() - self.begun
        verdict = "[green]each once, and nothing for the blocked deal[/]" if good else "[red]NOT as it should be[/]"
        self.console.print(f"Quote to posted invoice in {seconds:.1f} s: {verdict}.")
        return good

    def _show_links(self) -> None:
        links = [("the API's documentation", f"{self.stack.api_url}/docs")]
        for deal_id in TO_BE_POSTED:
            deal = self._deal(deal_id)
            links.append((f"invoice of {_short(deal_id)}", deal["invoices"][-1]["preview_url"]))
        for what, url in links:
            self.console.print(f"  {what}: {url}", soft_wrap=True, highlight=False)
        if not os.environ.get("KEEP"):
            self.console.print("  (the links work while the system runs: KEEP=1 make demo, or make up)")

    def _deal(self, deal_id: str) -> dict[str, Any]:
        answer = self.stack.request("GET", f"/deals/{deal_id}", token=self._token())
        return dict(answer.json()) if answer.status == 200 else {}

    def _mirrored(self, deal_id: str) -> dict[str, Any]:
        records = self.stack.twin("salesforce", "state").get("Deal_Desk_Deal__c", [])
        return next((record for record in records if record["Deal_Id__c"] == deal_id), {})

    def _token(self) -> str:
        return self.stack.token("person-demo", "auditor")


def _gist(event: dict[str, Any]) -> str:
    """The one thing about an event that a reader wants to see."""
    data = event["data"]
    match event["type"]:
        case "deal.evaluated":
            return str(data["decision"]["outcome"])
        case "guardrail.violated":
            return "; ".join(data["messages"])
        case "approval.requested":
            return ", then ".join(" and ".join(step["label"] for step in stage["steps"]) for stage in data["stages"])
        case "approval.granted":
            return f"{data['step']} by {PEOPLE.get(data['by'], data['by'])}"
        case "payment.succeeded":
            whole, cents = divmod(data["amount"]["amount_minor"], 100)
            return f"{whole:,}.{cents:02d} {data['amount']['currency']}"
        case "invoice.staged":
            return f"draft {data['draft']['number']}"
        case "invoice.posted":
            return f"{data['number']} as QuickBooks invoice {data['ledger_id']}"
        case _:
            return ""


def _short(deal_id: str) -> str:
    return deal_id[-8:-3] if deal_id.startswith("sf-") else deal_id


def _text_field(envelope: dict[str, Any], name: str) -> str | None:
    fields = (envelope.get("customFields") or {}).get("textCustomFields") or []
    return next((field["value"] for field in fields if field["name"] == name), None)
