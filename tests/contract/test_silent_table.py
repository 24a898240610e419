"""A table that does not answer is no defect: every adapter says that it is busy, and the message comes again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.httpsession import URLLib3Session

from dealdesk.adapters.dynamo_people import DynamoPeople
from dealdesk.adapters.quickbooks_tokens import QuickbooksTokens
from dealdesk.errors import TableBusy
from dealdesk.ports import Person


def tokens(table_name: str) -> QuickbooksTokens:
    return QuickbooksTokens(table_name, "http://x", realm_id="1", client_id="a", client_secret="b", first_token="c")


CALLS: dict[str, Callable[[str], object]] = {
    "people.remember": lambda name: DynamoPeople(name).remember(Person("p-1", "Ann", "ann@acme.example")),
    "people.find": lambda name: DynamoPeople(name).find("p-1"),
    "tokens": lambda name: tokens(name)(False),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_table_that_does_not_answer_is_said_to_be_busy(
    table_name: str, monkeypatch: pytest.MonkeyPatch, call: Callable[[str], object]
) -> None:
    def silent(_: object, request: Any) -> object:
        raise ConnectTimeoutError(endpoint_url=request.url)

    with monkeypatch.context() as patched:
        patched.setattr(URLLib3Session, "send", silent)
        patched.setattr("time.sleep", lambda _: None)
        with pytest.raises(TableBusy):
            call(table_name)
