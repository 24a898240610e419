"""Who signs, collects and books: the deal's own word, then the rules for its region and currency, then the usual."""

from __future__ import annotations

import pytest

from dealdesk.domain.provider_choice import NO_RULES, read_rules
from dealdesk.domain.quote import InvalidQuote, Providers

RULES = read_rules(
    '[{"region": "EMEA", "signature": "dropbox_sign"},'
    ' {"region": "EMEA", "currency": "EUR", "payment": "paypal", "ledger": "sap"},'
    ' {"currency": "EUR", "signature": "docusign", "ledger": "netsuite"}]'
)


@pytest.mark.parametrize(
    ("region", "currency", "chosen"),
    [
        (None, "USD", Providers("docusign", "stripe", "quickbooks")),
        ("EMEA", "USD", Providers("dropbox_sign", "stripe", "quickbooks")),
        ("EMEA", "EUR", Providers("dropbox_sign", "paypal", "sap")),
        ("NA", "EUR", Providers("docusign", "stripe", "netsuite")),
    ],
)
def test_the_first_rule_that_holds_and_names_somebody_decides(
    region: str | None, currency: str, chosen: Providers
) -> None:
    assert RULES.choose({}, region=region, currency=currency) == chosen


def test_what_the_deal_names_goes_before_every_rule() -> None:
    asked = {"signature": "docusign", "payment": None, "ledger": "quickbooks"}

    assert RULES.choose(asked, region="EMEA", currency="EUR") == Providers("docusign", "paypal", "quickbooks")


def test_a_provider_that_there_is_not_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidQuote, match=r"/providers/payment: must be one of stripe, paypal"):
        NO_RULES.choose({"payment": "cash"}, region=None, currency="USD")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "a list of objects"),
        ("[1]", "rule 1 must be an object"),
        ('[{"region": "EMEA"}, {"country": "DE"}]', "rule 2: country"),
        ('[{"payment": "cash"}]', "'cash' is none of stripe, paypal"),
        ('[{"ledger": null}]', "ledger is none of"),
        ("nonsense", "Expecting value"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_and_say_which(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_rules(text)
