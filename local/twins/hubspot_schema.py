"""The HubSpot objects the desk reads and writes: standard ones trimmed, with the desk's own properties and object."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["string", "number", "datetime", "date", "enumeration"]
TEXT_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class Property:
    """One property; an enumeration without options takes any text, as HubSpot's own ones do here."""

    name: str
    kind: Kind = "string"
    options: tuple[str, ...] = ()
    unique: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class ObjectType:
    """`names` are what paths may call it, beside its id."""

    type_id: str
    names: tuple[str, ...]
    properties: dict[str, Property]
    required: tuple[str, ...] = ()


APPROVAL_TYPE = "2-9000001"
FREQUENCIES = (
    "weekly",
    "biweekly",
    "monthly",
    "quarterly",
    "per_six_months",
    "annually",
    "per_two_years",
    "per_three_years",
    "per_four_years",
    "per_five_years",
)
_SYSTEM = (
    Property("hs_object_id", "number", read_only=True),
    Property("hs_lastmodifieddate", "datetime", read_only=True),
    Property("hs_createdate", "datetime", read_only=True),
    Property("hs_updated_by_user_id", "number", read_only=True),
)
_MIRRORED = (
    *("deal_id", "stage", "outcome", "reasons", "what_would_pass", "waiting_for", "fingerprint", "envelope_id"),
    *("payment_status", "payment_link", "invoice_status", "invoice_number"),
)


def _texts(*names: str) -> tuple[Property, ...]:
    return tuple(Property(name) for name in names)


def _numbers(*names: str) -> tuple[Property, ...]:
    return tuple(Property(name, "number") for name in names)


def _type(type_id: str, names: tuple[str, ...], *properties: Property, required: tuple[str, ...] = ()) -> ObjectType:
    return ObjectType(type_id, names, {one.name: one for one in (*_SYSTEM, *properties)}, required)


_DEAL = _type(
    "0-3",
    ("deals", "deal"),
    *_texts("dealname", "dealstage", "pipeline", "deal_currency_code", "deal_desk_segment", "deal_desk_region"),
    *_numbers("amount", "hubspot_owner_id", "deal_desk_payment_terms_days", "deal_desk_term_months"),
    Property("dealtype", "enumeration", ("newbusiness", "existingbusiness")),
    Property("deal_desk_risk", "enumeration", ("low", "medium", "high")),
    Property("deal_desk_signature_provider", "enumeration", ("docusign", "dropbox_sign")),
    Property("deal_desk_payment_provider", "enumeration", ("stripe", "paypal")),
    Property("deal_desk_ledger", "enumeration", ("quickbooks", "netsuite", "sap")),
    Property("deal_desk_billing", "enumeration", ("upfront", "annual", "quarterly", "monthly")),
    Property("deal_desk_valid_until", "date"),
    Property("deal_desk_submitted_at", "datetime"),
    *_texts(*(f"deal_desk_{name}" for name in _MIRRORED)),
    Property("deal_desk_version", "number"),
    Property("deal_desk_updated_at", "datetime"),
)
_LINE = _type(
    "0-8",
    ("line_items", "line_item"),
    *_texts("name", "hs_sku", "hs_line_item_currency_code", "hs_recurring_billing_period", "deal_desk_line_id"),
    *_numbers("quantity", "price", "discount", "hs_discount_percentage", "hs_cost_of_goods_sold"),
    *_numbers("hs_position_on_quote", "hs_product_id", "deal_desk_periods"),
    Property("recurringbillingfrequency", "enumeration", FREQUENCIES),
    Property("hs_term_in_months", "number", read_only=True),
    Property("deal_desk_charge_type", "enumeration", ("recurring", "one_time", "usage")),
)
_COMPANY = _type(
    "0-2",
    ("companies", "company"),
    *_texts("name", "domain", "hs_country_code", "deal_desk_country", "deal_desk_customer_id"),
)
_CONTACT = _type(
    "0-1", ("contacts", "contact"), *_texts("firstname", "lastname"), Property("email", "string", unique=True)
)
_QUOTE = _type(
    "0-14",
    ("quotes", "quote"),
    *_texts("hs_title", "hs_status", "hs_currency"),
    Property("hs_expiration_date", "datetime"),
    required=("hs_title", "hs_expiration_date"),
)
_APPROVAL = _type(
    APPROVAL_TYPE,
    ("deal_desk_approval", "p_deal_desk_approval"),
    Property("approval_key", "string", unique=True),
    *_texts("deal_id", "step", "label", "fingerprint", "status", "summary", "comment", "conditions"),
    Property("decision", "enumeration", ("Approve", "Approve with conditions", "Reject")),
    required=("approval_key",),
)
TYPES: dict[str, ObjectType] = {one.type_id: one for one in (_DEAL, _LINE, _COMPANY, _CONTACT, _QUOTE, _APPROVAL)}
# The unlabelled association between two types, and the labelled ones; source: HubSpot, "Association type ids".
DEFAULT_LINKS = {("0-3", "0-8"): 19, ("0-3", "0-2"): 341, ("0-3", "0-1"): 3, ("0-3", "0-14"): 63}
PRIMARY_COMPANY = 5


def type_named(name: str) -> ObjectType | None:
    """The object type by its id or one of its names; HubSpot ignores the case."""
    return next((one for one in TYPES.values() if name.lower() in (one.type_id, *one.names)), None)


def default_link(from_type: str, to_type: str) -> int:
    """The id of the unlabelled association; between custom objects every account has its own."""
    known = DEFAULT_LINKS.get((from_type, to_type)) or DEFAULT_LINKS.get((to_type, from_type))
    return known if known is not None else 101
