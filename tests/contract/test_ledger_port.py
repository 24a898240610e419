"""What every implementation of the Ledger port must hold: an invoice once, whatever becomes of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta

import pytest

from dealdesk.domain.events import InvoiceDraft
from dealdesk.domain.stages import Stage
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import LedgerInvoice
from tests.contract.ledgers.bench import Bench, Kept, Trouble, a_draft, a_line, a_memo, sealed
from tests.contract.ledgers.registry import BENCHES
from tests.unit.domain import quotes
from tests.unit.domain.deals import a_deal

DEAL = a_deal(Stage.PAID)
TODAY = date(2026, 11, 22)
KEY, MEMO_KEY = "invoice:inv_d-1_1", "credit:cm_d-1_1"
TWO_LINES = (a_line("1", 100_050), a_line("2", 20_000, sku="SETUP-01"))


def by_name(trouble: Trouble) -> str:
    return trouble.name.lower()


@pytest.fixture(params=sorted(BENCHES))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with BENCHES[request.param]() as bench:
        yield bench


def post(bench: Bench, draft: InvoiceDraft | None = None) -> LedgerInvoice:
    return bench.ledger().post(KEY, draft or a_draft(*TWO_LINES), DEAL, TODAY)


# -- once


def test_an_invoice_is_posted_with_its_number_and_its_due_date(bench: Bench) -> None:
    made = post(bench)

    assert (made.number, made.total_minor) == ("DD-0123456789AB-1", 120_050)
    assert made.due_on == TODAY + timedelta(days=30)
    assert made.ledger_id
    assert bench.invoices() == [Kept("DD-0123456789AB-1", 120_050)]


def test_nothing_is_found_before_anything_is_posted(bench: Bench) -> None:
    assert bench.ledger().look_up(a_draft()) is None


def test_the_same_key_again_finds_the_same_invoice(bench: Bench) -> None:
    first = post(bench)

    assert post(bench) == first
    assert len(bench.invoices()) == 1


def test_three_tries_with_lost_answers_post_one_invoice(bench: Bench) -> None:
    bench.trouble("post", Trouble.LOST)
    with pytest.raises(VendorUnavailable):
        post(bench)
    for _ in range(2):
        bench.trouble("post", Trouble.LOST)
        with suppress(VendorUnavailable):
            post(bench)

    found = bench.ledger().look_up(a_draft(*TWO_LINES))

    assert found is not None
    assert found.total_minor == 120_050
    assert len(bench.invoices()) == 1


def test_a_worker_that_never_heard_of_it_finds_what_a_crashed_one_has_posted(bench: Bench) -> None:
    made = post(bench)

    assert bench.ledger().look_up(a_draft(*TWO_LINES)) == made


@pytest.mark.parametrize("trouble", [Trouble.BUSY, Trouble.BROKEN, Trouble.SILENT, Trouble.GARBLED], ids=by_name)
def test_after_any_trouble_the_invoice_is_posted_once(bench: Bench, trouble: Trouble) -> None:
    bench.trouble("post", trouble)
    with pytest.raises(VendorUnavailable) as doubt:
        post(bench)

    made = bench.ledger().look_up(a_draft(*TWO_LINES)) or post(bench)

    assert made.total_minor == 120_050
    assert len(bench.invoices()) == 1
    assert doubt.value.retry_after_seconds == (7 if trouble is Trouble.BUSY else None)


def test_a_session_that_has_ended_is_begun_again(bench: Bench) -> None:
    ledger = bench.ledger()
    made = ledger.post(KEY, a_draft(), DEAL, TODAY)

    bench.expire_session()

    assert ledger.look_up(a_draft()) == made
    bench.expire_session()
    ledger.post("invoice:inv_d-1_2", a_draft(invoice_id="inv_d-1_2", number="DD-0123456789AB-2"), DEAL, TODAY)
    assert len(bench.invoices()) == 2


# -- what the ledger refuses


def test_the_same_number_with_another_content_is_refused(bench: Bench) -> None:
    first = a_draft()
    post(bench, first)
    dearer = a_draft(a_line(amount_minor=999_900))
    another = sealed(replace(first, invoice_id="inv_d-9_1"))

    for other in (dearer, another):
        with pytest.raises(VendorRefused, match=first.number):
            bench.ledger().look_up(other)
        with pytest.raises(VendorRefused, match=first.number):
            bench.ledger().post(KEY, other, DEAL, TODAY)
    assert bench.invoices() == [Kept(first.number, first.total_minor)]


def test_a_number_that_a_person_has_used_is_refused_and_their_invoice_stays(bench: Bench) -> None:
    bench.take_number("DD-0123456789AB-1")
    before = bench.invoices()

    with pytest.raises(VendorRefused, match="DD-0123456789AB-1"):
        post(bench)

    assert bench.invoices() == before
    assert len(before) == 1


def test_a_closed_period_takes_no_invoice(bench: Bench) -> None:
    bench.close_books()

    with pytest.raises(VendorRefused, match="closed"):
        post(bench)

    assert bench.invoices() == []


def test_an_unknown_item_is_named_and_nothing_is_posted(bench: Bench) -> None:
    draft = a_draft(a_line("1"), a_line("2", sku="NOWHERE-9"))

    with pytest.raises(VendorRefused, match="NOWHERE-9"):
        post(bench, draft)

    assert bench.invoices() == []


def test_an_unknown_customer_is_made_or_named(bench: Bench) -> None:
    draft = a_draft(customer_id="acct-9", customer_name="O'Neil & Sons")

    if bench.makes_customers:
        assert post(bench, draft).total_minor == draft.total_minor
        assert post(bench, draft).total_minor == draft.total_minor
        assert len(bench.invoices()) == 1
    else:
        with pytest.raises(VendorRefused, match=r"O'Neil & Sons|acct-9"):
            post(bench, draft)
        assert bench.invoices() == []


# -- amounts


@pytest.mark.parametrize(("currency", "amount_minor"), [("USD", 123_456_789), ("JPY", 5_000), ("KWD", 1_234_567)])
def test_an_amount_arrives_exactly_or_is_refused_before_anything_is_posted(
    bench: Bench, currency: str, amount_minor: int
) -> None:
    draft = a_draft(a_line(amount_minor=amount_minor, currency=currency), currency=currency)

    if currency in bench.carries:
        assert post(bench, draft).total_minor == amount_minor
        assert bench.invoices() == [Kept(draft.number, amount_minor)]
    else:
        with pytest.raises(VendorRefused, match=currency):
            post(bench, draft)
        assert bench.invoices() == []


def test_five_thousand_yen_are_not_five_hundred_thousand(bench: Bench) -> None:
    made = post(bench, a_draft(a_line(amount_minor=5_000, currency="JPY"), currency="JPY"))

    assert made.total_minor == 5_000


def test_the_sum_of_the_lines_is_what_the_ledger_has(bench: Bench) -> None:
    lines = [a_line(str(n), 10 * n + 1, quantity="1") for n in range(1, 8)]

    post(bench, a_draft(*lines))

    assert [kept.net_minor for kept in bench.invoices()] == [sum(line.amount_minor for line in lines)]


def test_the_tax_is_the_ledgers_and_the_posted_total_is_read_back(bench: Bench) -> None:
    bench.tax(10)

    made = post(bench)

    assert made.total_minor == 132_055
    assert bench.invoices() == [Kept("DD-0123456789AB-1", 120_050)]
    assert bench.ledger().look_up(a_draft(*TWO_LINES)) == made


def test_neither_the_sellers_cost_nor_the_rep_is_on_the_invoice(bench: Bench) -> None:
    line = quotes.a_line(cost="4321.99")
    deal = a_deal(Stage.PAID, lines=(line,), owner_id="rep-of-acme")

    bench.ledger().post(KEY, a_draft(), deal, TODAY)

    assert "CORE-01" in bench.sent()
    assert not [secret for secret in ("4321", "rep-of-acme") if secret in bench.sent()]


# -- taking back


def test_a_credit_memo_takes_back_one_line(bench: Bench) -> None:
    memo = a_memo(a_draft(*TWO_LINES), post(bench).ledger_id, TWO_LINES[1])

    made = bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)

    assert (made.number, made.total_minor) == ("DC-0123456789AB-1", 20_000)
    assert bench.credits() == [Kept("DC-0123456789AB-1", 20_000)]
    assert bench.invoices() == [Kept("DD-0123456789AB-1", 120_050)]


def test_a_credit_memo_takes_back_part_of_a_line(bench: Bench) -> None:
    draft = a_draft(a_line("1", 100_000, quantity="10"))
    memo = a_memo(draft, post(bench, draft).ledger_id, a_line("1", 30_000, quantity="3"))

    assert bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY).total_minor == 30_000


def test_a_credit_memo_in_full_takes_back_the_tax_too(bench: Bench) -> None:
    bench.tax(10)
    memo = a_memo(a_draft(*TWO_LINES), post(bench).ledger_id)

    made = bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)

    assert made.total_minor == 132_055
    assert bench.ledger().look_up_credit(memo) == made


def test_the_same_credit_again_finds_the_same_memo(bench: Bench) -> None:
    memo = a_memo(a_draft(*TWO_LINES), post(bench).ledger_id)
    assert bench.ledger().look_up_credit(memo) is None

    first = bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)

    assert bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY) == first
    assert bench.ledger().look_up_credit(memo) == first
    assert len(bench.credits()) == 1


@pytest.mark.parametrize("trouble", list(Trouble), ids=by_name)
def test_after_any_trouble_the_memo_is_made_once(bench: Bench, trouble: Trouble) -> None:
    memo = a_memo(a_draft(*TWO_LINES), post(bench).ledger_id)
    bench.trouble("credit", trouble)
    with pytest.raises(VendorUnavailable):
        bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)

    made = bench.ledger().look_up_credit(memo) or bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)

    assert made.total_minor == 120_050
    assert len(bench.credits()) == 1


def test_the_number_of_a_memo_stands_for_one_content(bench: Bench) -> None:
    draft = a_draft(*TWO_LINES)
    ledger_id = post(bench).ledger_id
    bench.ledger().credit(MEMO_KEY, a_memo(draft, ledger_id, TWO_LINES[1]), DEAL, TODAY)
    other = a_memo(draft, ledger_id, TWO_LINES[0])

    with pytest.raises(VendorRefused, match=other.number):
        bench.ledger().credit(MEMO_KEY, other, DEAL, TODAY)
    with pytest.raises(VendorRefused, match=other.number):
        bench.ledger().look_up_credit(other)

    assert bench.credits() == [Kept(other.number, 20_000)]


def test_the_sum_of_the_memos_never_exceeds_the_invoice(bench: Bench) -> None:
    draft = a_draft(*TWO_LINES)
    ledger_id = post(bench).ledger_id
    bench.ledger().credit("c-1", a_memo(draft, ledger_id, TWO_LINES[0]), DEAL, TODAY)
    too_much = a_memo(draft, ledger_id, replace(TWO_LINES[1], amount_minor=20_001, unit_price="200.01"), number=2)

    with pytest.raises(VendorRefused, match=draft.number):
        bench.ledger().credit("c-2", too_much, DEAL, TODAY)
    bench.ledger().credit("c-3", a_memo(draft, ledger_id, TWO_LINES[1], number=3), DEAL, TODAY)

    assert sum(kept.net_minor for kept in bench.credits()) == draft.total_minor


def test_a_closed_period_takes_no_memo(bench: Bench) -> None:
    memo = a_memo(a_draft(*TWO_LINES), post(bench).ledger_id)
    bench.close_books()

    with pytest.raises(VendorRefused, match="closed"):
        bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)

    assert bench.credits() == []


# -- a second invoice


def second_of(first: InvoiceDraft) -> InvoiceDraft:
    """The same lines anew, in place of the first."""
    number = "DD-0123456789AB-2"
    return sealed(
        replace(first, invoice_id="inv_d-1_2", number=number, replaces=first.invoice_id, replaces_number=first.number)
    )


def test_a_second_invoice_is_a_document_of_its_own_beside_the_first_that_was_taken_back(bench: Bench) -> None:
    first = a_draft(*TWO_LINES)
    made = post(bench, first)
    bench.ledger().credit(MEMO_KEY, a_memo(first, made.ledger_id), DEAL, TODAY)
    second = second_of(first)
    assert bench.ledger().look_up(second) is None

    again = bench.ledger().post("invoice:inv_d-1_2", second, DEAL, TODAY)

    assert (again.number, again.total_minor) == (second.number, made.total_minor)
    assert again.ledger_id != made.ledger_id
    assert [bench.ledger().look_up(draft) for draft in (first, second)] == [made, again]
    assert sorted(bench.invoices(), key=str) == [Kept(first.number, 120_050), Kept(second.number, 120_050)]


@pytest.mark.parametrize("trouble", list(Trouble), ids=by_name)
def test_after_any_trouble_the_second_is_posted_once_and_the_first_does_not_answer_for_it(
    bench: Bench, trouble: Trouble
) -> None:
    first = a_draft(*TWO_LINES)
    bench.ledger().credit(MEMO_KEY, a_memo(first, post(bench, first).ledger_id), DEAL, TODAY)
    second = second_of(first)
    bench.trouble("post", trouble)
    with pytest.raises(VendorUnavailable):
        bench.ledger().post("invoice:inv_d-1_2", second, DEAL, TODAY)

    made = bench.ledger().look_up(second) or bench.ledger().post("invoice:inv_d-1_2", second, DEAL, TODAY)

    assert made.number == second.number
    assert [kept.number for kept in bench.invoices()].count(second.number) == 1
    assert len(bench.invoices()) == 2


def test_a_memo_on_the_second_counts_only_what_was_taken_back_of_the_second(bench: Bench) -> None:
    first = a_draft(*TWO_LINES)
    bench.ledger().credit(MEMO_KEY, a_memo(first, post(bench, first).ledger_id), DEAL, TODAY)
    second = second_of(first)
    made = bench.ledger().post("invoice:inv_d-1_2", second, DEAL, TODAY)

    memo = a_memo(second, made.ledger_id, number=2)
    assert bench.ledger().credit("credit:cm_d-1_2", memo, DEAL, TODAY).total_minor == 120_050
    with pytest.raises(VendorRefused, match=second.number):
        bench.ledger().credit("credit:cm_d-1_3", a_memo(second, made.ledger_id, number=3), DEAL, TODAY)
