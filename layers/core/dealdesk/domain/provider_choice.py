"""Who signs, collects and books a deal: what the deal names, else what holds for its region or currency."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from dealdesk.domain.quote import InvalidQuote, Providers

ROLES: dict[str, tuple[str, ...]] = {
    "signature": ("docusign", "dropbox_sign"),
    "payment": ("stripe", "paypal"),
    "ledger": ("quickbooks", "netsuite", "sap"),
}
_ABOUT = ("region", "currency")


@dataclass(frozen=True, slots=True)
class ProviderRule:
    """Providers for the deals of one region, one currency, or both; None where the rule says nothing."""

    region: str | None = None
    currency: str | None = None
    signature: str | None = None
    payment: str | None = None
    ledger: str | None = None

    def holds(self, region: str | None, currency: str) -> bool:
        return self.region in (None, region) and self.currency in (None, currency)


@dataclass(frozen=True, slots=True)
class ProviderRules:
    """The first rule that holds and names a provider for a role decides; DocuSign, Stripe and QuickBooks after all."""

    rules: tuple[ProviderRule, ...] = ()

    def choose(self, asked: Mapping[str, str | None], *, region: str | None, currency: str) -> Providers:
        """`asked` is what the deal itself names by role. Raises `InvalidQuote` for a name that nobody has."""
        chosen = {role: asked.get(role) or self._ruled(role, region, currency) for role in ROLES}
        for role, name in chosen.items():
            if name is not None and name not in ROLES[role]:
                raise InvalidQuote(f"/providers/{role}", f"must be one of {', '.join(ROLES[role])}")
        return Providers(**{role: name for role, name in chosen.items() if name is not None})

    def _ruled(self, role: str, region: str | None, currency: str) -> str | None:
        names = (getattr(rule, role) for rule in self.rules if rule.holds(region, currency))
        return next((name for name in names if name is not None), None)


NO_RULES = ProviderRules()


def read_rules(text: str) -> ProviderRules:
    """Rules as JSON: [{"region": "EMEA", "signature": "dropbox_sign"}, {"currency": "EUR", "payment": "paypal"}].

    Raises ValueError that says which rule is wrong and what would be right.
    """
    document = json.loads(text or "[]")
    if not isinstance(document, list):
        raise ValueError("provider rules are a list of objects")
    return ProviderRules(tuple(_rule(number, rule) for number, rule in enumerate(document, 1)))


def _rule(number: int, rule: object) -> ProviderRule:
    if not isinstance(rule, dict):
        raise ValueError(f"provider rule {number} must be an object")
    for name, value in rule.items():
        if name not in (*_ABOUT, *ROLES) or not isinstance(value, str):
            raise ValueError(f"provider rule {number}: {name} is none of {', '.join((*_ABOUT, *ROLES))} with a text")
        if name in ROLES and value not in ROLES[name]:
            raise ValueError(f"provider rule {number}: {value!r} is none of {', '.join(ROLES[name])}")
    return ProviderRule(**rule)
