"""The fingerprint follows what was agreed, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.fingerprint import canonical_json, fingerprint
from dealdesk.domain.quote import Billing, Customer, Line, Providers, Risk
from tests.unit.domain.quotes import a_line, a_quote

LINES = tuple(a_line(str(n), unit=f"{n + 1}00.10", off="5") for n in range(6))


@given(st.permutations(LINES))
def test_permuting_lines_never_changes_it(lines: list[Line]) -> None:
    assert fingerprint(a_quote(*lines)) == fingerprint(a_quote(*LINES))


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Another title"},
        {"owner_id": "person-2"},
        {"contact_id": "c-9"},
        {"providers": Providers(signature="dropbox_sign", ledger="netsuite")},
    ],
)
def test_cosmetic_fields_leave_it_alone(fields: dict[str, Any]) -> None:
    assert fingerprint(a_quote(**fields)) == fingerprint(a_quote())


@pytest.mark.parametrize(
    "fields",
    [
        {"customer": Customer("acct-2", "Acme Inc", "US")},
        {"customer": Customer("acct-1", "Acme Inc", "DE")},
        {"currency": "EUR"},
        {"risk": Risk.HIGH},
        {"payment_terms_days": 31},
        {"billing": Billing.MONTHLY},
        {"term_months": 13},
        {"segment": "smb"},
        {"region": "EU"},
        {"new_logo": False},
        {"valid_until": date(2027, 1, 31)},
        {"providers": Providers(payment="paypal")},
        {"lines": (a_line(), a_line("2"))},
    ],
)
def test_a_material_edit_changes_it_and_the_inverse_restores_it(fields: dict[str, Any]) -> None:
    edited = a_quote(**fields)

    restored = replace(edited, **{name: getattr(a_quote(), name) for name in fields})

    assert fingerprint(edited) != fingerprint(a_quote())
    assert fingerprint(restored) == fingerprint(a_quote())


@pytest.mark.parametrize(
    "edit",
    [
        {"sku": "X"},
        {"quantity": Decimal(2)},
        {"periods": 2},
        {"list_unit_price": Decimal("10000.000001")},
        {"net_unit_price": Decimal("9999.999999")},
        {"unit_cost": Decimal(0)},
        {"id": "2"},
    ],
)
def test_a_material_edit_of_a_line_changes_it(edit: dict[str, Any]) -> None:
    assert fingerprint(a_quote(replace(a_line(), **edit))) != fingerprint(a_quote())


@given(st.integers(1, 10**9), st.integers(0, 6))
def test_one_number_has_one_text(units: int, zeros: int) -> None:
    padded = Decimal(f"{units}.{'0' * zeros}") if zeros else Decimal(units).normalize()

    quotes = [a_quote(replace(a_line(unit="0.01"), quantity=number)) for number in (Decimal(units), padded)]

    assert fingerprint(quotes[0]) == fingerprint(quotes[1])


def test_canonical_json_sorts_keys_at_every_depth() -> None:
    assert canonical_json({"b": {"d": 1, "c": "é"}, "a": [2]}) == '{"a":[2],"b":{"c":"é","d":1}}'
