"""What the routes share: who asks, under which cause, of which deal."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Annotated, Any

import msgspec
from access import Caller, caller_of
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.params import Header
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from pages import invoice_page, require_signed, signed_query
from pydantic import BaseModel

from dealdesk.adapters import codec
from dealdesk.adapters.dynamo_approvers import DynamoApprovers
from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.adapters.dynamo_figures import DynamoFigures
from dealdesk.adapters.dynamo_index import DynamoDealIndex
from dealdesk.adapters.dynamo_people import DynamoPeople
from dealdesk.adapters.dynamo_policies import DynamoPolicies
from dealdesk.contracts import rest
from dealdesk.contracts.salesforce_ids import deal_id_of, long_id
from dealdesk.domain import grants, invoices, payments
from dealdesk.domain.chain import Recorded
from dealdesk.domain.deal import Deal
from dealdesk.domain.decision import FxRate
from dealdesk.domain.disclosure import disclosed
from dealdesk.domain.events import CrmRecord, Event, QuoteEvaluated
from dealdesk.domain.policy import Policy
from dealdesk.domain.provider_choice import ProviderRules, read_rules
from dealdesk.domain.stages import PaymentStatus
from dealdesk.edge import asking, clock, secrets, settings, telemetry
from dealdesk.errors import AlreadyHandled, Malformed, NotFound, PreconditionMissing
from dealdesk.ports import Cause, Person
from dealdesk.usecases.change import change

App = APIGatewayRestResolver | APIGatewayRouter
POLL_SECONDS = 0.15

Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200, pattern=r"^[\x21-\x7e]+$")]
"""The header by which a repeated request is known: visible ASCII, at most 200 characters."""


@dataclass(frozen=True, slots=True)
class Settings:
    dealdesk_table: str
    dealdesk_silent_after_seconds: int
    links_secret: str
    public_url: str = ""
    link_wait_seconds: int = 4
    provider_rules: str = ""
    signature_function: str = ""


class Secret(msgspec.Struct):
    signing_key: str


@cache
def config() -> Settings:
    return settings.read(Settings)


@cache
def deals() -> DynamoDeals:
    return DynamoDeals(config().dealdesk_table, config().dealdesk_silent_after_seconds)


@cache
def index() -> DynamoDealIndex:
    return DynamoDealIndex(config().dealdesk_table)


@cache
def figures() -> DynamoFigures:
    return DynamoFigures(config().dealdesk_table)


@cache
def people() -> DynamoPeople:
    return DynamoPeople(config().dealdesk_table)


@cache
def provider_rules() -> ProviderRules:
    return read_rules(config().provider_rules)


@cache
def approvers() -> DynamoApprovers:
    return DynamoApprovers(config().dealdesk_table)


@cache
def policies() -> DynamoPolicies:
    return DynamoPolicies(config().dealdesk_table)


def guardrails(now: datetime) -> tuple[Policy, Mapping[str, FxRate]]:
    """The policy that decides now, and the rates into its currency."""
    policy = policies().current(now)
    return policy, policies().fx_rates(now, policy.currency)


def caller(app: App) -> Caller:
    return caller_of(app.current_event.raw_event)


def version_seen(if_match: str | None) -> int:
    """The version in an If-Match header. Raises `PreconditionMissing` without one, `Malformed` for no number."""
    if if_match is None:
        raise PreconditionMissing("send the version that you saw in the If-Match header")
    seen = if_match.strip().removeprefix("W/").strip('"')
    if not (seen.isascii() and seen.isdigit() and len(seen) < 12):
        raise Malformed("If-Match is the version that you saw, a whole number", pointer="If-Match")
    return int(seen)


class Ask:
    """One request that may change something: the caller, allowed, and the cause that its key makes."""

    def __init__(self, app: App, body: BaseModel | None, key: str | None, roles: frozenset[str]) -> None:
        event = app.current_event
        self.who = caller(app).may(roles)
        self._key = key or f"request-{event.request_context.request_id}"
        content = body.model_dump_json() if body else ""
        seen = event.headers.get("if-match") or event.headers.get("If-Match") or ""
        said = "\n".join((event.http_method, event.path, self.who.person_id, seen, content))
        self.cause = Cause("api", self._key, hashlib.sha256(said.encode()).hexdigest())

    def deal_id(self, crm: rest.CrmIn | None) -> str:
        """From the CRM's record, or from the key: either way the same request makes the same deal."""
        if crm is None:
            digest = hashlib.sha256(f"{self.who.person_id}\n{self._key}".encode()).hexdigest()
            return f"api-{digest[:20]}"
        return deal_id_of(crm.record_id) if crm.system == "salesforce" else f"hs-{crm.record_id}"

    def crm_record(self, crm: rest.CrmIn | None) -> CrmRecord | None:
        if crm is None:
            return None
        return CrmRecord(crm.system, long_id(crm.record_id) if crm.system == "salesforce" else crm.record_id)

    def change(
        self, deal_id: str, decide: Callable[[Deal, datetime], Sequence[Event]], *, or_new: bool = False
    ) -> Deal:
        """The deal after the change; for a replay, as it was right after the first time."""
        now = clock.now()

        def seen(deal: Deal) -> Sequence[Event]:
            return decide(self.who.sees(deal) if deal.version else deal, now)

        try:
            deal = change(
                deals(),
                deal_id,
                seen,
                cause=self.cause,
                actor=self.who.person_id,
                now=now,
                or_new=or_new,
                claim_anyway=True,
            )
        except AlreadyHandled as before:
            telemetry.duplicate("api", before.deal_id, str(self.cause))
            return self.who.sees(deals().as_of(before.deal_id, version=before.version))
        telemetry.said("request carried out", deal_id=deal_id, cause=str(self.cause), stage=deal.stage.value)
        return deal


def lies_inside(copy: Deal, original: Deal) -> bool:
    """Whether a copied deal stays inside what was granted to the original, by the policy that holds now."""
    if copy.decision is None or copy.quote is None:
        return False
    return grants.lies_inside(copy.decision, copy.quote, original, *guardrails(clock.now()))


def as_a_rep_sees(record: Recorded) -> Recorded:
    """The event without the limits that the policy does not disclose. Its hash stays the one of the whole event."""
    if record.type != QuoteEvaluated.TYPE:
        return record
    event = codec.parse(record.data, QuoteEvaluated)
    return replace(record, data=codec.dump(replace(event, decision=disclosed(event.decision))))


def contact_of(deal_id: str, contact: rest.ContactIn | None) -> Person | None:
    return Person(f"contact-{deal_id}", contact.name, contact.email) if contact else None


def wait_for_link(deal: Deal, payment_id: str) -> Deal:
    """The link is made by the reaction that holds the vendor's key; it takes a moment, which is worth waiting for."""
    deadline = time.monotonic() + config().link_wait_seconds
    payment = payments.find(deal, payment_id)
    while payment.status is PaymentStatus.PENDING and not payment.url and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        deal = deals().load(deal.id)
        payment = payments.find(deal, payment_id)
    return deal


def deal_of_payment(payment_id: str) -> str:
    return _deal_of(payment_id, "pay_")


def deal_of_refund(refund_id: str) -> str:
    return _deal_of(refund_id, "ref_")


def deal_of_credit(memo_id: str) -> str:
    return _deal_of(memo_id, "crd_")


def deal_of_invoice(invoice_id: str) -> str:
    return _deal_of(invoice_id, "inv_")


def _deal_of(subject: str, prefix: str) -> str:
    deal_id, _, number = subject.removeprefix(prefix).rpartition("_")
    if not subject.startswith(prefix) or not deal_id or not number.isdigit():
        raise NotFound(f"there is no {subject[:60]}")
    return deal_id


def invoice_links(app: App) -> Callable[[str], str]:
    """Makes the preview links: signed, for a day, at the address that the caller used or that is configured."""
    key = secrets.secret(config().links_secret, Secret).signing_key
    base, now = config().public_url or _own_url(app.current_event.raw_event), clock.now()
    return lambda invoice_id: f"{base}/console/invoices/{invoice_id}?{signed_query(key, invoice_id, now)}"


def signing_address(app: App, deal_id: str) -> str:
    """Asked of the function that has the provider's key. Raises what the provider, or the gate before it, refuses."""
    back = f"{config().public_url or _own_url(app.current_event.raw_event)}/console/signatures/done"
    answer = asking.ask(config().signature_function, {"show": {"deal_id": deal_id, "return_url": back}})
    return str(answer["url"])


def _own_url(event: dict[str, Any]) -> str:
    context = event.get("requestContext") or {}
    path = str(context.get("path") or "").removesuffix(str(event.get("path") or ""))
    return f"https://{context.get('domainName', '')}{path}"


def open_invoice(invoice_id: str, expires: str, signature: str) -> str:
    """The page of an invoice. Raises `Forbidden` for a link that the desk did not make or that has ended."""
    key = secrets.secret(config().links_secret, Secret).signing_key
    require_signed(key, invoice_id, expires, signature, clock.now())
    deal = deals().load(deal_of_invoice(invoice_id))
    telemetry.said("invoice page opened", deal_id=deal.id, invoice_id=invoice_id)
    return invoice_page(deal, invoices.find(deal, invoice_id))
