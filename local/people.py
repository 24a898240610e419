"""What the people of the three example deals do, each at their own vendor: submit, approve, sign, pay."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Path:
    """The vendors that a deal goes through."""

    crm: str
    signature: str
    payment: str
    ledger: str

    @property
    def deals(self) -> tuple[str, str, str]:
        """The deal that passes by itself, the one that needs finance and executive, the one that is blocked."""
        prefix, records = ("sf-", SALESFORCE_RECORDS) if self.crm == "salesforce" else ("hs-", HUBSPOT_RECORDS)
        first, second, third = (prefix + record for record in records)
        return first, second, third

    def __str__(self) -> str:
        return ", ".join(NAMES[vendor] for vendor in (self.crm, self.signature, self.payment, self.ledger))


SALESFORCE_RECORDS = ("0067F00000deal1QAA", "0067F00000deal2QAA", "0067F00000deal3QAA")
HUBSPOT_RECORDS = ("9100000001", "9100000002", "9100000003")
NAMES = {
    "salesforce": "Salesforce",
    "hubspot": "HubSpot",
    "docusign": "DocuSign",
    "dropbox_sign": "Dropbox Sign",
    "stripe": "Stripe",
    "paypal": "PayPal",
    "quickbooks": "QuickBooks",
    "netsuite": "NetSuite",
    "sap": "SAP",
}
PATHS = {
    "standard": Path("salesforce", "docusign", "stripe", "quickbooks"),
    "hubspot": Path("hubspot", "dropbox_sign", "paypal", "netsuite"),
    "sap": Path("salesforce", "docusign", "stripe", "sap"),
}
RITA, FIONA, ERIC = "0057F000001repAQAQ", "0057F000001finAQAQ", "0057F000001exeAQAQ"
APPROVERS: dict[str, dict[str, str | int]] = {
    "salesforce": {"finance": FIONA, "executive": ERIC, "invoice": FIONA},
    "hubspot": {"finance": 7002, "executive": 7003, "invoice": 7002},
}


@dataclass(frozen=True, slots=True)
class People:
    """They see a vendor by `state(twin)` and act there by `act(twin, action, body)`."""

    path: Path
    state: Callable[[str], Json]
    act: Callable[[str, str, Json], object]

    def name_providers(self) -> None:
        """Rita names in the CRM who signs, collects and books her deals, where it is not the usual."""
        path = self.path
        if path.crm == "hubspot":
            names = ("deal_desk_signature_provider", "deal_desk_payment_provider", "deal_desk_ledger")
            asked = dict(zip(names, (path.signature, path.payment, path.ledger), strict=True))
            for record in HUBSPOT_RECORDS:
                self.act("hubspot", "edit", {"type": "deals", "id": record, "properties": asked, "user_id": 7001})
        elif path != PATHS["standard"]:
            names = ("Signature_Provider__c", "Payment_Provider__c", "Ledger__c")
            asked = dict(zip(names, (path.signature, path.payment, path.ledger), strict=True))
            for record in SALESFORCE_RECORDS:
                edit = {"type": "Opportunity", "id": record, "fields": asked, "user_id": RITA}
                self.act("salesforce", "edit", edit)

    def submit(self) -> None:
        """Rita submits all three quotes at once."""
        if self.path.crm == "hubspot":
            self.act("hubspot", "submit_many", {"deal_ids": list(HUBSPOT_RECORDS)})
        else:
            self.act("salesforce", "submit_many", {"opportunity_ids": list(SALESFORCE_RECORDS)})

    def pending_approvals(self) -> list[Json]:
        """What lies before approvers in the CRM: `key`, `deal_id`, `step` and `label`."""
        rows: list[Json]
        if self.path.crm == "hubspot":
            rows = [one["properties"] for one in self.state("hubspot").get("deal_desk_approval", [])]
            names = {"key": "approval_key", "deal_id": "deal_id", "step": "step", "label": "label"}
            status, decision = "status", "decision"
        else:
            rows = self.state("salesforce").get("Deal_Desk_Approval__c", [])
            names = {"key": "Approval_Key__c", "deal_id": "Deal_Id__c", "step": "Step__c", "label": "Label__c"}
            status, decision = "Status__c", "Decision__c"
        open_ = [row for row in rows if row.get(status) == "Pending" and not row.get(decision)]
        return [{name: row.get(field) for name, field in names.items()} for row in open_]

    def approve(self, approval: Json) -> None:
        """Whoever is asked presses the button."""
        user = APPROVERS[self.path.crm][approval["step"]]
        body = {"approval_key": approval["key"], "decision": "Approve", "user_id": user}
        self.act(self.path.crm, "decide", body)

    def sign(self) -> list[str]:
        """Every customer signs what lies before them; the ids of what they signed."""
        if self.path.signature == "dropbox_sign":
            found = self.state("dropbox_sign")["signature_requests"]
            waiting = [one["signature_request_id"] for one in found if not (one["is_complete"] or one["is_cancelled"])]
            for request_id in waiting:
                self.act("dropbox_sign", "sign", {"signature_request_id": request_id})
            return waiting
        waiting = [one["envelopeId"] for one in self.state("docusign")["envelopes"] if one["status"] == "sent"]
        for envelope_id in waiting:
            self.act("docusign", "complete", {"envelope_id": envelope_id})
        return waiting

    def pay(self) -> list[str]:
        """Every customer pays what they are asked for; the ids of what they paid."""
        if self.path.payment == "paypal":
            waiting = [one["id"] for one in self.state("paypal")["orders"] if one["status"] in PAYPAL_OPEN]
            for order_id in waiting:
                self.act("paypal", "approve", {"order_id": order_id})
            return waiting
        waiting = [one["id"] for one in self.state("stripe")["sessions"] if one["status"] == "open"]
        for session_id in waiting:
            self.act("stripe", "pay", {"session_id": session_id, "method": "card"})
        return waiting

    def everybody_acts(self) -> int:
        """One round: who is asked approves, signs or pays; how often that was."""
        approvals = self.pending_approvals()
        for approval in approvals:
            self.approve(approval)
        return len(approvals) + len(self.sign()) + len(self.pay())

    def effects(self, deal_id: str, invoice_number: str) -> tuple[int, int, int]:
        """How often a vendor was made to do what cannot be undone: contracts out, money taken, invoices posted."""
        return (
            _count(self.state(self.path.signature)[CONTRACTS[self.path.signature]], deal_id),
            _count(self.money_taken(), deal_id),
            _count(self.state(self.path.ledger)[INVOICES[self.path.ledger]], invoice_number),
        )

    def money_taken(self) -> list[Json]:
        """What customers have paid, as their provider has it."""
        if self.path.payment == "paypal":
            return [one for one in self.state("paypal")["captures"] if one["status"] == "COMPLETED"]
        return [one for one in self.state("stripe")["sessions"] if one["payment_status"] == "paid"]


PAYPAL_OPEN = ("CREATED", "PAYER_ACTION_REQUIRED")
CONTRACTS = {"docusign": "envelopes", "dropbox_sign": "signature_requests"}
INVOICES = {"quickbooks": "Invoice", "netsuite": "invoice", "sap": "A_BillingDocument"}


def _count(things: Iterable[Json], word: str) -> int:
    """How many of them carry this id of ours."""
    return sum(word in json.dumps(thing, default=str) for thing in things) if word else 0
