"""The policies that ship: `classic` decides after set-up, the others are templates to start from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache

from dealdesk.domain.decision import FxRate
from dealdesk.domain.policy import Policy, parse_policy
from dealdesk.domain.policy_version import PolicyStatus, PolicyVersion, stamped

TEMPLATES = {
    "classic": "Discount ceilings by risk that nobody can lift; executives above 20%, finance beyond net 30",
    "saas-standard": "Finance decides discounts by risk, executives ten points higher; margins below 50% are blocked",
    "usage-based": "Committed usage by discount and margin; short commitments and free onboarding are reviewed",
    "partner-led": "Room for a partner's margin: the channel team up to 35%, finance and executives above it",
    "enterprise": "Large contracts: finance and executives by discount and size, legal by term, revops by billing",
    "public-sector": "Small, equal discounts and terms up to net 60; multi-year terms and prepayment go to legal",
}
DEFAULT_TEMPLATE = "classic"
_TEN_DIGITS = Context(prec=10, rounding=ROUND_HALF_UP)
SHIPPED_AT = datetime(1970, 1, 1, tzinfo=UTC)
"""When the shipped policy began to decide: before everything else."""


def template_document(name: str) -> dict[str, object]:
    """The JSON of a shipped template, a new copy each time; KeyError for a name that does not ship."""
    if name not in TEMPLATES:
        raise KeyError(f"there is no template {name!r}; use one of {', '.join(TEMPLATES)}")
    document: dict[str, object] = json.loads(_read(f"{name}.json"))
    return document


def load_template(name: str = DEFAULT_TEMPLATE) -> Policy:
    """A shipped template, parsed and compiled."""
    return parse_policy(template_document(name))


@cache
def shipped_version() -> PolicyVersion:
    """`classic` as version 1 of the guardrails: what decides until somebody publishes something else."""
    document = template_document(DEFAULT_TEMPLATE)
    policy_id = str(document["policy_id"])
    text, digest = stamped(document, policy_id, 1)
    return PolicyVersion(
        policy_id=policy_id,
        number=1,
        status=PolicyStatus.PUBLISHED,
        document=text,
        hash=digest,
        author="dealdesk",
        authors=("dealdesk",),
        created_at=SHIPPED_AT,
        comment="ships with the desk",
        template_id=DEFAULT_TEMPLATE,
        effective_from=SHIPPED_AT,
        published_by="dealdesk",
        published_at=SHIPPED_AT,
    )


@cache
def shipped_rates(into: str = "USD") -> Mapping[str, FxRate]:
    """Dated rates into a policy's currency, by currency; none into one that is not in the table.

    The table says what each is worth in USD; rates into another currency follow from two of these, to ten digits.
    Every decision stores the one that it used.
    """
    document = json.loads(_read("fx_rates.json"))
    as_of, source = date.fromisoformat(document["as_of"]), document["source"]
    in_usd = {currency: Decimal(rate) for currency, rate in document["usd_per_unit"].items()}
    if into not in in_usd:
        return {}
    return {
        currency: FxRate(
            currency, rate if into == "USD" else _TEN_DIGITS.divide(rate, in_usd[into]), as_of, source, into
        )
        for currency, rate in in_usd.items()
    }


def _read(name: str) -> str:
    from importlib.resources import files  # takes longer to import than the whole domain

    return files(__package__).joinpath(name).read_text("utf-8")
