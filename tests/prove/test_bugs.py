"""The proof finds every bug that was put into the desk on purpose, each with the seed that is noted here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.prove import bugs, bugs_of_disputes, bugs_of_money
from tests.prove.run import run, warm_up

# Bug, a seed below 500 that finds it, and a word of what is found.
FOUND_BY: dict[Any, tuple[int, str]] = {
    bugs.no_claim: (1, "a second time"),
    bugs.no_condition: (10, "was changed after it was written"),
    bugs.count_without_a_look: (16, "its deals have added"),
    bugs.key_per_attempt: (26, "2 payment links were made"),
    bugs.publish_before_commit: (0, "never happened so"),
    bugs.conflict_is_replay: (28, "was acknowledged and is not recorded"),
    bugs.return_in_the_loop: (4, "n8n never heard"),
    bugs.no_look_up: (2, "two envelopes were sent"),
    bugs.no_lease: (32, "two envelopes were sent"),
    bugs.signature_of_parsed_json: (0, "a genuine letter was refused"),
    bugs.forget_the_fingerprint: (23, "without an approval of its terms"),
    bugs.expired_is_good_enough: (6, "after its approval had ended"),
    bugs.no_failed_entries: (1, "was never published"),
    bugs.swallow_in_the_relay: (1, "was never published"),
    bugs.a_link_a_request: (22, "while another link is out"),
    bugs.nobody_chases: (12, "for ever, and nobody is asked"),
    bugs.drop_when_a_vendor_is_down: (8, "n8n never heard"),
    bugs.doubt_is_refusal: (24, "paid 2 times"),
    bugs.snapshot_behind: (0, "is not the fold of its events"),
    bugs_of_money.refund_twice: (179, "given back twice"),
    bugs_of_money.refund_more_than_came: (6, "refunds of 960100 were asked for"),
    bugs_of_money.one_person_refunds: (1, "approved by person-felix"),
    bugs_of_money.memo_beyond_the_invoice: (8, "memos take 960100"),
    bugs_of_money.memo_posted_twice: (39, "the ledger has another opinion"),
    bugs_of_money.redrive_loses: (300, "n8n never heard"),
    bugs_of_disputes.count_a_dispute_and_its_refund: (22, "paid 2 times"),
    bugs_of_disputes.lost_is_failed: (13, "was flipped"),
    bugs_of_disputes.give_back_what_the_bank_has: (25, "of money that a bank has"),
    bugs_of_disputes.dun_while_the_bank_argues: (25, "while money is disputed"),
    bugs_of_disputes.nobody_asks_the_bank: (17, "has the disputes"),
    bugs_of_disputes.swallow_the_tax: (2, "that nobody accepted"),
    bugs_of_disputes.forget_who_waited: (124, "stays invoiced for ever"),
    bugs_of_disputes.memo_of_the_day_of_the_sale: (34, "is refused for good"),
}


@pytest.mark.parametrize("bug", FOUND_BY, ids=lambda bug: bug.__name__)
def test_the_bug_is_found(bug: Any) -> None:
    seed, found = FOUND_BY[bug]
    warm_up()

    with bugs.made(bug):
        finding = run(seed).finding

    assert finding is not None
    assert found in finding


def test_every_bug_has_its_seed() -> None:
    assert FOUND_BY.keys() == set(bugs.BUGS)


@pytest.mark.parametrize("seed", sorted({seed for seed, _ in FOUND_BY.values()}))
def test_without_the_bug_the_same_seed_finds_nothing(seed: int) -> None:
    assert run(seed).finding is None
