"""What REST takes and gives, as pydantic: the source of /openapi.json and of every 422."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from dealdesk.contracts.fields import Id, Note, Number, Small, Strict, Text
from dealdesk.contracts.line_rest import AmendsIn, LineIn
from dealdesk.contracts.money_rest import CreditOut, DisputeOut, RefundOut, UnappliedOut
from dealdesk.domain.condition_lines import MOST_CONDITIONS, VALUE_LIMIT, Fact, Op, incomparable
from dealdesk.domain.events import Condition
from dealdesk.domain.provider_choice import NO_RULES, ProviderRules
from dealdesk.domain.quote import Billing, Customer, InvalidQuote, Quote, Risk
from dealdesk.domain.terms import PaymentTerms, parse_terms
from dealdesk.errors import Malformed

_PART = r"[^@\s\x00-\x1f\x7f-\x9f]"
# A tier that the desk does not know counts as medium.
RiskText = Annotated[str, Field(max_length=64)]
TermsText = Annotated[str, Field(min_length=1, max_length=40)]
Months = Annotated[int, Field(strict=True, ge=1, le=600)]


class CrmIn(Strict):
    system: Literal["salesforce", "hubspot"]
    record_id: Id


class CustomerIn(Strict):
    id: Id
    name: Text
    country: Annotated[str, Field(pattern="^([A-Z]{2})?$")] = ""


class ContactIn(Strict):
    """Kept apart from the deal; events and logs hold only an id."""

    name: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
    email: Annotated[str, Field(max_length=254, pattern=rf"^{_PART}+@{_PART}+\.{_PART}+$")]


Payer = Literal["stripe", "paypal"]
Books = Literal["quickbooks", "netsuite", "sap"]


class ProvidersIn(Strict):
    """What is left out follows from the desk's rules for the deal's region and currency."""

    signature: Literal["docusign", "dropbox_sign"] | None = None
    payment: Payer | None = None
    ledger: Books | None = None


class QuoteIn(Strict):
    """Terms of payment are `payment_terms_days` for "net N", or `payment_terms` as people type them, like "EOM+15"."""

    name: Text
    crm: CrmIn | None = None
    owner_id: Id
    customer: CustomerIn
    contact: ContactIn | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    risk: RiskText = "medium"
    segment: Text | None = None
    region: Text | None = None
    new_logo: bool | None = None
    payment_terms_days: Small | None = None
    payment_terms: TermsText | None = None
    billing: Billing = Billing.ANNUAL
    term_months: Months
    opt_out_after_months: Months | None = None
    starts_on: date | None = None
    valid_until: date | None = None
    amount_off: Number | None = None
    amends: AmendsIn | None = None
    providers: ProvidersIn = ProvidersIn()
    beneficiary_ids: Annotated[tuple[Id, ...], Field(max_length=20)] = ()
    copied_from: Annotated[Id | None, Field(description="The deal that this one is a copy of, for information")] = None
    lines: Annotated[list[LineIn], Field(min_length=1)]

    def to_quote(self, contact_id: str | None, rules: ProviderRules = NO_RULES) -> Quote:
        """Raises `Malformed` with the pointer of what the domain does not take."""
        days, typed = _payment_terms(self.payment_terms_days, self.payment_terms)
        try:
            return Quote(
                name=self.name,
                owner_id=self.owner_id,
                customer=Customer(**self.customer.model_dump()),
                currency=self.currency,
                risk=Risk.parse(self.risk),
                payment_terms_days=days,
                billing=self.billing,
                term_months=self.term_months,
                lines=tuple(line.to_line(index) for index, line in enumerate(self.lines)),
                contact_id=contact_id,
                segment=self.segment,
                region=self.region,
                new_logo=self.new_logo,
                valid_until=self.valid_until,
                providers=rules.choose(self.providers.model_dump(), region=self.region, currency=self.currency),
                beneficiary_ids=self.beneficiary_ids,
                payment_terms=typed,
                opt_out_after_months=self.opt_out_after_months,
                starts_on=self.starts_on,
                amount_off=self.amount_off or None,
                amends=self.amends.to_amends() if self.amends else None,
            )
        except InvalidQuote as error:
            raise Malformed(str(error), pointer=error.pointer) from error


class QuotePatch(Strict):
    """The fields to change; `lines` replaces all lines, and an `amount_off` of zero takes it back."""

    name: Text | None = None
    owner_id: Id | None = None
    risk: RiskText | None = None
    segment: Text | None = None
    region: Text | None = None
    payment_terms_days: Small | None = None
    payment_terms: TermsText | None = None
    billing: Billing | None = None
    term_months: Months | None = None
    opt_out_after_months: Months | None = None
    starts_on: date | None = None
    valid_until: date | None = None
    amount_off: Number | None = None
    amends: AmendsIn | None = None
    lines: Annotated[list[LineIn], Field(min_length=1)] | None = None

    def applied_to(self, quote: Quote) -> Quote:
        values: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if None in values.values():
            missing = next(name for name, value in values.items() if value is None)
            raise Malformed("null clears nothing here; leave the field out to keep it", pointer=f"/{missing}")
        if self.lines is not None:
            values["lines"] = tuple(line.to_line(index) for index, line in enumerate(self.lines))
        if self.risk is not None:
            values["risk"] = Risk.parse(self.risk)
        if self.payment_terms_days is not None or self.payment_terms is not None:
            values["payment_terms_days"], values["payment_terms"] = _payment_terms(
                self.payment_terms_days, self.payment_terms
            )
        if self.amount_off is not None:
            values["amount_off"] = self.amount_off or None
        if self.amends is not None:
            values["amends"] = self.amends.to_amends()
        current = {name: getattr(quote, name) for name in quote.__dataclass_fields__}
        try:
            return Quote(**{**current, **values})
        except InvalidQuote as error:
            raise Malformed(str(error), pointer=error.pointer) from error


def _payment_terms(days: int | None, typed: str | None) -> tuple[int, str | None]:
    """The days and, where they are not plain "net N", how they count."""
    if (days is None) == (typed is None):
        place = "/payment_terms_days"
        raise Malformed(f"{place}: there is this or payment_terms, not both and not neither", pointer=place)
    if typed is None:
        return days or 0, None
    try:
        terms = parse_terms(typed)
    except ValueError as wrong:
        raise Malformed(f"/payment_terms: {wrong}", pointer="/payment_terms") from None
    plain = terms == PaymentTerms(terms.due.NET, terms.days)
    return terms.most_days or 0, None if plain else str(terms)


class ConditionIn(Strict):
    """`fact` is one of the decision's facts; `op` says how it compares with `value`."""

    fact: Fact
    op: Op
    value: Annotated[str, Field(min_length=1, max_length=VALUE_LIMIT)]

    @model_validator(mode="after")
    def comparable(self) -> ConditionIn:
        if wrong := incomparable(self.fact, self.op, self.value):
            raise ValueError(wrong)
        return self


class ApprovalIn(Strict):
    """`conditions` become enforced limits: the deal is approved once its terms meet all of them.

    With a `round`, an answer to an earlier round counts as a stale click even when the terms came back the same.
    """

    step: Id
    decision: Literal["approve", "approve_with_conditions", "reject"]
    conditions: Annotated[tuple[ConditionIn, ...], Field(max_length=MOST_CONDITIONS)] = ()
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    round: Annotated[int, Field(strict=True, ge=1)] | None = None
    comment: Note = ""

    def to_conditions(self) -> tuple[Condition, ...]:
        """Raises `Malformed` when the conditions do not fit the decision."""
        if bool(self.conditions) != (self.decision == "approve_with_conditions"):
            raise Malformed("conditions go with approve_with_conditions, and only with it", pointer="/conditions")
        return tuple(Condition(given.fact, given.op, given.value) for given in self.conditions)


class ProcessIn(Strict):
    deal_id: Id
    provider: Payer | None = None


class StageIn(Strict):
    """`replaces` is a posted invoice that was taken back in full, in whose place the new one comes."""

    deal_id: Id
    ledger: Books | None = None
    replaces: Id | None = None


class RejectIn(Strict):
    reason: Annotated[Note, Field(min_length=1)]


class DifferenceIn(Strict):
    """The difference that was seen, in minor units: above zero where the invoice is over more than was collected."""

    difference_minor: Annotated[int, Field(strict=True, gt=-(10**15), lt=10**15)]
    reason: Annotated[Note, Field(min_length=1)]


class EventOut(BaseModel):
    sequence: int
    id: str
    type: str
    occurred_at: datetime
    cause: str
    actor: str
    data: dict[str, Any]
    hash: str
    previous_hash: str


class TimelineOut(BaseModel):
    deal_id: str
    complete: bool
    events: list[EventOut]


class PaymentOut(BaseModel):
    """Refunds and disputes are entries beside the payment and never change its status.

    `received_minor` is what has arrived of the `amount_minor` that was asked; what was over is in `unapplied`.
    """

    payment_id: str
    deal_id: str
    provider: str
    status: str
    amount_minor: int
    received_minor: int | None
    currency: str
    url: str | None
    reason: str
    refunds: list[RefundOut]
    disputes: list[DisputeOut]
    unapplied: list[UnappliedOut]


class InvoiceLineOut(BaseModel):
    line_id: str
    sku: str
    description: str
    quantity: str
    unit_price: str
    amount_minor: int


class InvoiceOut(BaseModel):
    """`total_minor` is before tax, `posted_total_minor` the ledger's. `difference_minor` is how much the invoice is
    above what was collected; while `differs`, finance has to accept it, and the deal is not closed.
    """

    invoice_id: str
    deal_id: str
    status: str
    number: str
    ledger: str
    ledger_id: str | None
    customer_name: str
    currency: str
    lines: list[InvoiceLineOut]
    total_minor: int
    terms_days: int
    terms: str
    digest: str
    reason: str
    preview_url: str
    posted_total_minor: int | None
    collected_minor: int | None
    difference_minor: int
    accepted_difference_minor: int
    differs: bool
    settlement: str
    credits: list[CreditOut]
    replaces: str | None
    replaced_by: str | None


class SigningOut(BaseModel):
    """Whoever opens `url` first signs as the customer; hand it to nobody else."""

    url: str


class ExpiriesOut(BaseModel):
    """When each of the four ends, and which of those that still count is the first."""

    quote_validity: datetime | None
    approval: datetime | None
    envelope: datetime | None
    payment_link: datetime | None
    earliest: str | None


class DealOut(BaseModel):
    """`outstanding_minor` is what the customer still owes; null before the first payment was asked for."""

    deal_id: str
    version: int
    stage: str
    revision: int
    name: str | None
    owner_id: str | None
    fingerprint: str | None
    decision: dict[str, Any] | None
    open_steps: list[str]
    unmet_conditions: list[str]
    inside_approval_of: str | None = None
    envelope: dict[str, Any] | None
    outstanding_minor: int | None
    payments: list[PaymentOut]
    refunds: list[RefundOut]
    disputes: list[DisputeOut]
    unapplied: list[UnappliedOut]
    invoices: list[InvoiceOut]
    failures: list[str]
    disputed: bool
    waits_for_finance: list[str]
    expiries: ExpiriesOut
    updated_at: datetime | None


class DealLineOut(BaseModel):
    deal_id: str
    name: str
    stage: str
    owner_id: str | None
    crm: str | None
    outcome: str | None
    total_minor: int | None
    currency: str | None
    updated_at: datetime


class DealsOut(BaseModel):
    deals: list[DealLineOut]
    next_cursor: str | None


class DecisionOut(BaseModel):
    decision: dict[str, Any]
    fingerprint: str
    what_would_pass: str
    payment_terms_cost: PaymentTermsCostOut


class PaymentTermsCostOut(BaseModel):
    """What the days beyond the standard cost the seller; it stands beside the discount and is no part of it."""

    amount_minor: int
    currency: str
    days: int
    standard_days: int
    annual_percent: str


class HealthOut(BaseModel):
    status: str
