"""The invoice: what was quoted, approved by finance as it is, posted once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dealdesk.domain import events as e
from dealdesk.domain import invoices
from dealdesk.domain.deal import Deal, Invoice
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.fold import fold
from dealdesk.domain.quote import ChargeType
from dealdesk.domain.stages import InvoiceStatus, Stage
from dealdesk.errors import ApproverConflicted, ApproverNotEntitled, CertificateInvalid, NotFound, WrongStage
from tests.unit.domain.deals import (
    EXECUTIVE,
    FINANCE,
    IN_EXECUTIVE,
    IN_FINANCE,
    LATER,
    NOW,
    OWNER,
    a_deal,
    posted,
    posting,
)
from tests.unit.domain.quotes import a_line

DRAFT, APPROVED, POSTED, REJECTED, VOIDED = InvoiceStatus
ID = "inv_d-1_1"


def types(happened: list[e.Event]) -> list[str]:
    return [event.TYPE for event in happened]


def a_deal_with_invoice(status: InvoiceStatus) -> Deal:
    deal = a_deal(Stage.PAID)
    match status:
        case InvoiceStatus.APPROVED:
            return fold(deal, invoices.approve(deal, ID, FINANCE, IN_FINANCE, NOBODY, NOW), NOW)
        case InvoiceStatus.POSTED:
            return fold(deal, posting(deal), NOW)
        case InvoiceStatus.REJECTED:
            return fold(deal, invoices.reject(deal, ID, FINANCE, IN_FINANCE, "wrong", NOBODY, NOW), NOW)
        case InvoiceStatus.VOIDED:
            return replace(deal, invoices=(replace(the_invoice(deal), status=VOIDED),))
        case _:
            return deal


def the_invoice(deal: Deal) -> Invoice:
    assert deal.invoice is not None
    return deal.invoice


@pytest.mark.parametrize("stage", Stage)
def test_an_invoice_is_staged_once_the_deal_is_paid(stage: Stage) -> None:
    deal = replace(a_deal(stage), invoices=())

    if stage is Stage.PAID:
        assert types(invoices.draft(deal, NOW)) == ["invoice.staged"]
    else:
        with pytest.raises(WrongStage, match="once it is paid"):
            invoices.draft(deal, NOW)


@pytest.mark.parametrize("status", InvoiceStatus)
def test_only_a_rejected_or_voided_invoice_is_followed_by_a_new_draft(status: InvoiceStatus) -> None:
    deal = replace(a_deal_with_invoice(status), stage=Stage.PAID)

    happened = invoices.draft(deal, NOW)

    assert types(happened) == (["invoice.staged"] if status in (REJECTED, VOIDED) else [])
    if happened:
        second = the_invoice(fold(deal, happened, NOW)).draft
        assert second.invoice_id == "inv_d-1_2"
        assert second.number != the_invoice(deal).draft.number


def test_a_shut_gate_stages_nothing() -> None:
    deal = replace(a_deal(Stage.PAID), invoices=(), certificate=None)

    assert invoices.stage(deal, NOW) == []
    with pytest.raises(CertificateInvalid):
        invoices.draft(deal, NOW)


def test_the_lines_add_up_to_the_total_and_to_what_was_paid() -> None:
    lines = (
        a_line("1", unit="3333.33", off="7", quantity="3"),
        a_line("2", unit="0.015", quantity="1001", charge=ChargeType.USAGE),
        a_line("3", unit="999.995", periods=12, cost="1.00"),
    )
    deal = a_deal(Stage.PAID, lines=lines)

    draft = the_invoice(deal).draft

    assert deal.payment is not None
    assert sum(line.amount_minor for line in draft.lines) == draft.total_minor == deal.payment.amount.amount_minor
    assert [line.line_id for line in draft.lines] == ["1", "2", "3"]


def test_the_sellers_cost_is_nowhere_on_the_invoice() -> None:
    draft = the_invoice(a_deal(Stage.PAID, lines=(a_line(cost="777.77"),))).draft

    assert "777" not in repr(draft)


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_only_finance_decides_on_an_invoice(action: str) -> None:
    with pytest.raises(ApproverNotEntitled):
        decide(a_deal(Stage.PAID), action, by=EXECUTIVE, groups=IN_EXECUTIVE)


@pytest.mark.parametrize("action", ["approve", "reject"])
def test_nobody_decides_on_the_invoice_of_their_own_deal(action: str) -> None:
    with pytest.raises(ApproverConflicted):
        decide(a_deal(Stage.PAID), action, by=OWNER)


def decide(deal: Deal, action: str, *, by: str = FINANCE, groups: frozenset[str] = IN_FINANCE) -> list[e.Event]:
    match action:
        case "approve":
            return invoices.approve(deal, ID, by, groups, NOBODY, NOW)
        case "reject":
            return invoices.reject(deal, ID, by, groups, "wrong", NOBODY, NOW)
        case _:
            return invoices.post(deal, ID)


REFUSED = ["refused"]
NOTHING: list[str] = []
TABLE = {
    (DRAFT, "approve"): ["invoice.approved", "invoice.posting_requested"],
    (DRAFT, "reject"): ["invoice.rejected"],
    (DRAFT, "post"): REFUSED,
    (APPROVED, "approve"): NOTHING,
    (APPROVED, "reject"): REFUSED,
    (APPROVED, "post"): NOTHING,
    (POSTED, "approve"): NOTHING,
    (POSTED, "reject"): REFUSED,
    (POSTED, "post"): NOTHING,
    (REJECTED, "approve"): REFUSED,
    (REJECTED, "reject"): NOTHING,
    (REJECTED, "post"): REFUSED,
    (VOIDED, "approve"): REFUSED,
    (VOIDED, "reject"): REFUSED,
    (VOIDED, "post"): REFUSED,
}


@pytest.mark.parametrize(("status", "action"), TABLE)
def test_each_status_allows_what_it_allows(status: InvoiceStatus, action: str) -> None:
    deal, expected = a_deal_with_invoice(status), TABLE[status, action]

    if expected is REFUSED:
        with pytest.raises(WrongStage, match=ID):
            decide(deal, action)
    else:
        assert types(decide(deal, action)) == expected


def test_the_table_covers_every_status_and_action() -> None:
    assert {*TABLE} == {(status, action) for status in InvoiceStatus for action in ("approve", "reject", "post")}


def test_an_approval_passes_the_gate_or_does_not_happen() -> None:
    with pytest.raises(CertificateInvalid, match="posting refused"):
        invoices.approve(replace(a_deal(Stage.PAID), certificate=None), ID, FINANCE, IN_FINANCE, NOBODY, NOW)


def test_a_failed_posting_is_asked_again_under_the_same_key() -> None:
    deal = a_deal_with_invoice(APPROVED)
    deal = fold(deal, [e.InvoiceFailed(f"invoice:{ID}", ID, "the ledger is closed")], NOW)

    [again] = invoices.post(deal, ID)

    assert isinstance(again, e.PostingRequested)
    assert again.key == f"invoice:{ID}"
    assert deal.intents[0].failed
    assert not fold(deal, [again], NOW).intents[0].failed


def test_a_posted_invoice_of_a_paid_deal_closes_it_with_its_hours() -> None:
    deal = a_deal_with_invoice(APPROVED)

    happened = posted(deal, now=NOW + timedelta(hours=36))

    assert types(happened) == ["invoice.posted", "deal.closed"]
    assert happened[-1] == e.DealClosed("36.0000")
    assert fold(deal, happened, LATER).intents == ()


def test_a_second_answer_of_the_ledger_changes_nothing() -> None:
    assert posted(a_deal(Stage.CLOSED)) == []


def test_an_answer_about_an_invoice_that_is_not_ours_changes_nothing() -> None:
    assert invoices.posted(a_deal(Stage.PAID), "invoice:other", "qb-1", "DD-1", 1, NOW.date(), NOW) == []


def test_an_unknown_invoice_is_not_found() -> None:
    with pytest.raises(NotFound):
        invoices.find(a_deal(Stage.PAID), "inv_d-1_9")


@pytest.mark.parametrize("deal_id", ["d-1", "sf-0067F00000deal1QAA", "x" * 200])
def test_a_document_number_fits_the_ledger_and_is_stable(deal_id: str) -> None:
    number = invoices.document_number(deal_id, 99)

    assert len(number) <= 21
    assert number == invoices.document_number(deal_id, 99)
    assert number != invoices.document_number(deal_id, 98)


def test_the_digest_freezes_every_part_of_the_draft() -> None:
    one, other = (the_invoice(a_deal(Stage.PAID, payment_terms_days=days)).draft for days in (30, 29))

    assert one.digest != other.digest
    assert one.digest == the_invoice(a_deal(Stage.PAID, payment_terms_days=30)).draft.digest
