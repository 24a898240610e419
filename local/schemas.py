"""`python -m local.schemas`: writes docs/events, a JSON Schema for each event that leaves the desk, and their index."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from local.build import FUNCTION, read_template

# pytest and the Lambda layer put our code on the path; a module that is run by name has to do it itself.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "layers" / "core"))

from dealdesk.contracts.bus import SCHEMA_VERSION, BusEvent
from dealdesk.domain.events import EVENT_TYPES as DEAL_EVENT_TYPES
from dealdesk.domain.policy_events import POLICY_EVENT_TYPES

ROOT = Path(__file__).resolve().parents[1]
EVENT_TYPES = DEAL_EVENT_TYPES | POLICY_EVENT_TYPES
FOLDER = ROOT / "docs" / "events"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

WHEN = {
    "deal.received": "A quote was submitted, in the CRM or by REST.",
    "deal.evaluated": "The guardrails have judged a revision of the quote.",
    "deal.details_changed": "The name, the contact or the owner changed; the terms are as they were.",
    "deal.quote_refused": "The submitted quote cannot be judged, or comes after the signature.",
    "deal.touched": "A person who may decide on the deal has taken it up for the first time.",
    "guardrail.violated": "The judgement has at least one reason that asks for approval or blocks.",
    "approval.requested": "A round of approval has begun.",
    "approval.answered": "The CRM says that an approver has decided; the answer is read back before it counts.",
    "approval.granted": "An approver has said yes to one step.",
    "approval.rejected": "An approver has said no; the round has ended.",
    "approval.reminded": "Half of the time for a step has passed without an answer.",
    "approval.escalated": "A step that nobody answers is open to more people.",
    "sla.breached": "Nobody has taken up the deal in time; `sla` says in which.",
    "approval.expired": "The approval, or the wait for it, has ended before the contract went out.",
    "deal.approved": "Every step is granted and every condition met, or none was asked; the certificate is issued.",
    "deal.recalled": "The quote was taken back before its contract went out.",
    "document.requested": "The contract has to be sent for signature.",
    "document.sent": "The envelope is with the customer.",
    "document.expiry_set": "The provider says until when the contract can be signed.",
    "document.reported": "The provider hints, unsigned, that something became of the envelope; it is asked what.",
    "document.completed": "The customer has signed.",
    "document.declined": "The customer has declined to sign.",
    "document.voided": "The envelope has ended unsigned: withdrawn, voided or expired.",
    "document.void_requested": "The terms have changed; the envelope that is out has to be voided.",
    "document.resend_requested": "Somebody wants the signer to have the provider's e-mail again.",
    "document.resent": "The provider has sent its e-mail to the signer again.",
    "document.view_requested": "Somebody asks for an address at which the signer can sign.",
    "payment.requested": "The deal's total, or the rest of it, has to be collected.",
    "payment.link_created": "The customer can pay; `url` is the page.",
    "payment.reported": "The payment provider says that something happened; it is asked before money moves.",
    "payment.approved": "The payer has agreed at the provider; the money has to be taken.",
    "payment.processing": "The money was taken and is on its way; it may still bounce.",
    "payment.succeeded": "The amount that was asked has arrived.",
    "payment.partially_paid": "Less has arrived than was asked: it counts, and the rest has to be asked for.",
    "payment.failed": "The link has expired or brought money that does not fit, or it was declined or refused.",
    "payment.unmatched": "Money has arrived that does not settle the deal; a person has to decide.",
    "payment.cancel_requested": "A pending payment has to be withdrawn.",
    "payment.rolled_back": "The pending payment is withdrawn.",
    "refund.requested": "Somebody wants to give money back; somebody else has to approve.",
    "refund.approved": "The refund is approved; the money has to be given back.",
    "refund.rejected": "The refund is rejected, or withdrawn by who asked for it.",
    "refund.submitted": "The provider has taken the refund; the customer has not got it yet.",
    "refund.failed": "No money has gone back: the provider refused, it bounced, or a dispute took the money first.",
    "payment.refunded": "Money has gone back to the customer; the payment stays as it is.",
    "payment.disputed": "The payer's bank disputes a payment, or the dispute is won or lost.",
    "invoice.staged": "The draft invoice is ready for finance.",
    "invoice.approved": "Finance has approved the draft.",
    "invoice.rejected": "Finance has rejected the draft.",
    "invoice.posting_requested": "The approved invoice has to be posted, for the first time or again.",
    "invoice.posted": "The ledger has the invoice.",
    "invoice.failed": "The ledger has refused the invoice; a person must change something and ask again.",
    "invoice.differs": "What the ledger has posted is not what was collected; the deal stays open, for finance.",
    "invoice.difference_accepted": "Finance has accepted the difference between the invoice and what was collected.",
    "invoice.reported": "The ledger says that somebody has touched the invoice; `said` is what it reads now.",
    "credit_memo.requested": "Somebody wants to take lines of a posted invoice back; somebody else has to approve.",
    "credit_memo.approved": "The credit memo is approved and has to be posted, for the first time or again.",
    "credit_memo.rejected": "The credit memo is rejected, or withdrawn by who asked for it.",
    "credit_memo.posted": "The ledger has the credit memo.",
    "credit_memo.failed": "The ledger has refused the credit memo; a person must change something and approve again.",
    "intent.failed": "A vendor has refused an effect for good; a person must change something.",
    "intent.attempted": "A worker has taken the lease of an effect and is about to call the vendor.",
    "intent.interrupted": "The vendor has not answered clearly; the next attempt looks up first.",
    "vendor.asked": "The deal was silent, the vendor was asked, and nothing had changed.",
    "deal.closed": "The deal is paid and its invoice is posted.",
    "policy.drafted": "Somebody has written a version of a policy, or edited one.",
    "policy.published": "A second person has put a version of a policy in force, or an earlier one back in force.",
}


@dataclass(frozen=True, slots=True)
class PolicyUsed:
    id: str
    version: int
    hash: str


@dataclass(frozen=True, slots=True)
class QuoteFigures:
    name: str
    currency: str
    lines: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The figures of the judgement; the lines of the quote stay with the desk (`contracts/bus.py`, `public_data`)."""

    revision: int
    editor: str
    outcome: str
    policy: PolicyUsed
    fingerprint: str
    required_steps: list[str]
    facts: dict[str, str]
    violations: int
    quote: QuoteFigures


@dataclass(frozen=True, slots=True)
class Details:
    """What may leave the desk of a change of details."""

    editor: str
    name: str
    owner_id: str


SHAPES: dict[str, Any] = {"deal.evaluated": Evaluated, "deal.details_changed": Details}


def main() -> None:
    """Writes every file, and removes those of events that are no more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = rendered()
    for path in FOLDER.iterdir():
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text)
    print(f"{len(files)} files in {FOLDER.relative_to(ROOT)}")


def rendered() -> dict[str, str]:
    """The text of each file of docs/events, by its name."""
    schemas = {f"{type_}.json": json.dumps(schema_of(type_), indent=2) + "\n" for type_ in sorted(EVENT_TYPES)}
    return {"README.md": _index(), **schemas}


def schema_of(type_: str) -> dict[str, Any]:
    """The event as the bus and n8n get it: the envelope, with the data of this type."""
    shape: Any = SHAPES.get(type_) or EVENT_TYPES[type_]
    data = TypeAdapter(shape).json_schema(mode="serialization")
    definitions = data.pop("$defs", {})
    envelope = TypeAdapter(BusEvent).json_schema(mode="serialization")
    moment = {"type": "string", "format": "date-time"}
    if type_ in POLICY_EVENT_TYPES:
        envelope["properties"]["deal_id"] = {"const": ""}
    fixed = {"type": {"const": type_}, "version": {"const": SCHEMA_VERSION}, "occurred_at": moment, "data": data}
    properties = {name: fixed.get(name, shown) for name, shown in envelope["properties"].items()}
    schema = {
        "$schema": DIALECT,
        "title": type_,
        "description": WHEN[type_],
        "type": "object",
        "properties": properties,
        "required": envelope["required"],
    }
    return schema | ({"$defs": definitions} if definitions else {})


def reactions() -> dict[str, list[str]]:
    """The functions that react to each event, by the rules and queues of template.yaml."""
    resources = read_template(ROOT / "template.yaml")["Resources"]
    reader = {
        event["Properties"]["Queue"]["Fn::GetAtt"][0]: resource["Properties"]["CodeUri"].removeprefix("functions/")
        for resource in resources.values()
        if resource["Type"] == FUNCTION
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "SQS"
    }
    found: dict[str, list[str]] = {type_: [] for type_ in EVENT_TYPES}
    for resource in resources.values():
        if resource["Type"] == "AWS::Events::Rule":
            for type_ in resource["Properties"]["EventPattern"]["detail-type"]:
                for target in resource["Properties"]["Targets"]:
                    found[type_].append(reader[target["Arn"]["Fn::GetAtt"][0]])
    return found


def _index() -> str:
    reacts = reactions()
    rows = "\n".join(
        f"| [`{type_}`]({type_}.json) | {WHEN[type_]} | {', '.join(f'`{name}`' for name in reacts[type_]) or '-'} |"
        for type_ in EVENT_TYPES
    )
    return f"""# Events

What leaves the desk on its EventBridge bus (source `dealdesk`, the detail type is the event's type), and what n8n
receives as a body. `make schemas` writes this folder from the code; a test fails when it is out of date.

Every event has `id` (unique over all deals; drop what you have seen), `type`, `version` (of the schema),
`occurred_at` (UTC), `deal_id`, `sequence` (numbers all events of one deal) and `data`. An event may come twice and
late, so order by `sequence`; n8n gets only some of the types, so it sees gaps. Fields may be added; ignore those that
you do not know.

Events of policies have an empty `deal_id`: `data.policy_id` names the policy, and `sequence` numbers its events.

Amounts are whole minor units (`amount_minor`, `total_minor`). People are ids: their names and addresses are in no
event. "Who reacts" is what the rules of `template.yaml` send on; every event is in the timeline of its deal or policy.

| type | when | who reacts |
|---|---|---|
{rows}
"""


if __name__ == "__main__":
    main()
