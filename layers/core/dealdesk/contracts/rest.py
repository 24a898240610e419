"""What REST takes and gives, as pydantic: the source of /openapi.json and of every 422."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from dealdesk.domain.events import Condition
from dealdesk.domain.money import parse_decimal
from dealdesk.domain.quote import Billing, ChargeType, Customer, InvalidQuote, Line, Providers, Quote, Risk
from dealdesk.errors import Malformed

Number = Annotated[
    Decimal,
    BeforeValidator(parse_decimal),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,6})?$"}, {"type": "integer"}],
            "examples": ["85.00"],
        }
    ),
]
_PART = r"[^@\s\x00-\x1f\x7f-\x9f]"
Text = Annotated[str, Field(min_length=1, max_length=255)]
# People write several lines, and paste what they like; only a NUL helps nobody.
Note = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:@-]+$")]
# A tier that the desk does not know counts as medium.
RiskText = Annotated[str, Field(max_length=64)]
Small = Annotated[int, Field(strict=True, ge=0, le=100_000)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


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


class ProvidersIn(Strict):
    signature: Literal["docusign"] = "docusign"
    payment: Literal["stripe"] = "stripe"
    ledger: Literal["quickbooks"] = "quickbooks"


class LineIn(Strict):
    """A line has `net_unit_price` or `discount_percent`."""

    id: Id
    sku: Text
    charge_type: ChargeType = ChargeType.RECURRING
    quantity: Number
    periods: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    list_unit_price: Number
    net_unit_price: Number | None = None
    discount_percent: Number | None = None
    unit_cost: Number | None = None

    def to_line(self, index: int) -> Line:
        if (self.net_unit_price is None) == (self.discount_percent is None):
            raise Malformed(
                "a line has net_unit_price or discount_percent, not both and not neither", pointer=f"/lines/{index}"
            )
        net = self.net_unit_price
        if net is None:
            discount = self.discount_percent or Decimal(0)
            if not 0 <= discount <= 100:
                raise Malformed("a discount is from 0 to 100", pointer=f"/lines/{index}/discount_percent")
            net = (self.list_unit_price * (100 - discount) / 100).quantize(Decimal("0.000001"))
        return Line(
            id=self.id,
            sku=self.sku,
            charge_type=self.charge_type,
            quantity=self.quantity,
            periods=self.periods,
            list_unit_price=self.list_unit_price,
            net_unit_price=net,
            unit_cost=self.unit_cost,
        )


class QuoteIn(Strict):
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
    payment_terms_days: Small
    billing: Billing = Billing.ANNUAL
    term_months: Annotated[int, Field(strict=True, ge=1, le=600)]
    valid_until: date | None = None
    providers: ProvidersIn = ProvidersIn()
    beneficiary_ids: Annotated[list[Id], Field(max_length=20)] = []
    copied_from: Annotated[Id | None, Field(description="The deal that this one is a copy of, for information")] = None
    lines: Annotated[list[LineIn], Field(min_length=1)]

    def to_quote(self, contact_id: str | None) -> Quote:
        """Raises `Malformed` with the pointer of what the domain does not take."""
        try:
            return Quote(
                name=self.name,
                owner_id=self.owner_id,
                customer=Customer(**self.customer.model_dump()),
                currency=self.currency,
                risk=Risk.parse(self.risk),
                payment_terms_days=self.payment_terms_days,
                billing=self.billing,
                term_months=self.term_months,
                lines=tuple(line.to_line(index) for index, line in enumerate(self.lines)),
                contact_id=contact_id,
                segment=self.segment,
                region=self.region,
                new_logo=self.new_logo,
                valid_until=self.valid_until,
                providers=Providers(**self.providers.model_dump()),
                beneficiary_ids=tuple(self.beneficiary_ids),
            )
        except InvalidQuote as error:
            raise Malformed(str(error), pointer=error.pointer) from error


class QuotePatch(Strict):
    """The fields to change; `lines` replaces all lines."""

    name: Text | None = None
    owner_id: Id | None = None
    risk: RiskText | None = None
    segment: Text | None = None
    region: Text | None = None
    payment_terms_days: Small | None = None
    billing: Billing | None = None
    term_months: Annotated[int, Field(strict=True, ge=1, le=600)] | None = None
    valid_until: date | None = None
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
        current = {name: getattr(quote, name) for name in quote.__dataclass_fields__}
        try:
            return Quote(**{**current, **values})
        except InvalidQuote as error:
            raise Malformed(str(error), pointer=error.pointer) from error


class ConditionIn(Strict):
    """`fact` is one of the decision's facts; `op` says how it compares with `value`."""

    fact: Literal[
        "discount_pct",
        "recurring_discount_pct",
        "one_time_discount_pct",
        "usage_discount_pct",
        "margin_pct",
        "payment_days",
        "term_months",
        "total_contract_value",
        "billing",
    ]
    op: Literal["max", "min", "same"]
    value: Annotated[str, Field(min_length=1, max_length=32)]

    @model_validator(mode="after")
    def comparable(self) -> ConditionIn:
        if self.op == "same":
            return self
        if self.fact == "billing":
            raise ValueError("billing is compared by `same`")
        parse_decimal(self.value)
        return self


class ApprovalIn(Strict):
    """`conditions` become enforced limits: the deal is approved once its terms meet all of them.

    With a `round`, an answer to an earlier round counts as a stale click even when the terms came back the same.
    """

    step: Id
    decision: Literal["approve", "approve_with_conditions", "reject"]
    conditions: Annotated[list[ConditionIn], Field(max_length=20)] = []
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
    provider: Literal["stripe"] | None = None


class StageIn(Strict):
    deal_id: Id
    ledger: Literal["quickbooks"] | None = None


class RejectIn(Strict):
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
    payment_id: str
    deal_id: str
    provider: str
    status: str
    amount_minor: int
    currency: str
    url: str | None
    reason: str


class InvoiceLineOut(BaseModel):
    line_id: str
    sku: str
    description: str
    quantity: str
    unit_price: str
    amount_minor: int


class InvoiceOut(BaseModel):
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
    digest: str
    reason: str
    preview_url: str


class DealOut(BaseModel):
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
    payments: list[PaymentOut]
    invoices: list[InvoiceOut]
    failures: list[str]
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


class HealthOut(BaseModel):
    status: str
