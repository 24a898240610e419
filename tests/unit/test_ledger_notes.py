"""By its note a ledger's document is known again: the one of a second invoice is never taken for that of the first."""

from __future__ import annotations

from dataclasses import replace

from dealdesk.adapters.ledger_notes import is_note_on, note_on, owner_of
from tests.contract.ledgers.bench import a_draft, sealed

FIRST = a_draft()
SECOND = sealed(
    replace(
        FIRST, invoice_id="inv_d-1_2", number="DD-0123456789AB-2", replaces="inv_d-1_1", replaces_number=FIRST.number
    )
)


def test_an_invoice_that_replaces_another_says_so_and_is_not_taken_for_it() -> None:
    note = note_on(SECOND, "d-1")

    assert note.endswith(f"replaces {FIRST.number}")
    assert is_note_on(note, SECOND)
    assert not is_note_on(note, FIRST)
    assert FIRST.invoice_id not in note.split()
    assert owner_of(note) == ("d-1", "inv_d-1_2")


def test_an_invoice_that_replaces_none_names_none() -> None:
    assert "replaces" not in note_on(FIRST, "d-1")
