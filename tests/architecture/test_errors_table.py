"""Everything that the desk may refuse has an answer for REST and for a queue."""

from __future__ import annotations

import inspect

from dealdesk import errors
from dealdesk.edge.answers import REPLIES

KINDS = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)}


def test_every_error_has_a_row_in_the_table_of_answers() -> None:
    assert set(REPLIES) == KINDS


def test_every_error_is_drawn_in_the_tree() -> None:
    drawn = (errors.__doc__ or "").replace("─", " ").split()

    assert {kind.__name__ for kind in KINDS} - set(drawn) == set()
