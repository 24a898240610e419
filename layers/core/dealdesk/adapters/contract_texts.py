"""What stands in the contract of a quote, whoever has it signed: the fields of the template and their texts."""

from __future__ import annotations

from dealdesk.domain.money import format_money
from dealdesk.domain.quote import Quote


def contract_texts(quote: Quote) -> dict[str, str]:
    return {
        "deal_total": format_money(quote.net_total),
        "payment_terms": quote.terms_of_payment,
        "term": _term(quote),
    }


def _term(quote: Quote) -> str:
    months = f"{quote.term_months} months"
    committed = quote.committed_months
    return months if committed == quote.term_months else f"{months}, may end after {committed}"
