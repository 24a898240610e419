"""QuickBooks' refresh token dies with its successor's first use: one worker at a time may use it, and none loses it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from dealdesk.adapters import codec, quickbooks_tokens
from dealdesk.adapters.quickbooks_tokens import QuickbooksTokens
from dealdesk.adapters.rows import bound_to
from dealdesk.errors import VendorUnavailable
from local.twins.quickbooks import QuickBooksTwin
from local.twins.server import Fault, serve

ROUNDS = 50
REALM = "4620"


@pytest.fixture
def twin(table_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[QuickBooksTwin]:
    assert table_name
    monkeypatch.setattr(quickbooks_tokens, "WAIT_SECONDS", 0.01)
    twin = QuickBooksTwin(client_id="app", client_secret="s3cret", realm_id=REALM, refresh_token="RT1-first")
    with closing(serve(twin)):
        yield twin


def a_worker(table_name: str, twin: QuickBooksTwin) -> QuickbooksTokens:
    return QuickbooksTokens(
        table_name, twin.url, realm_id=REALM, client_id="app", client_secret="s3cret", first_token="RT1-first"
    )


def stored(table_name: str) -> str:
    row = bound_to(table_name).get(f"TOKEN#quickbooks#{REALM}", "TOKEN", consistent_read=True)
    return codec.parse(str(row.body), quickbooks_tokens._Tokens).refresh_token


def refreshes(twin: QuickBooksTwin) -> list[int]:
    return [record.status for record in twin.requests if "/tokens/bearer" in record.path]


def test_two_workers_whose_token_was_refused_refresh_it_once_fifty_times_over(
    table_name: str, twin: QuickBooksTwin
) -> None:
    workers = [a_worker(table_name, twin) for _ in range(2)]
    first = {worker(False) for worker in workers}
    start = threading.Barrier(2)

    def renew(worker: QuickbooksTokens) -> str:
        start.wait()
        return worker(True)

    seen = [first]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            seen.append(set(pool.map(renew, workers)))

    assert [len(tokens) for tokens in seen] == [1] * (ROUNDS + 1)
    assert len(set.union(*seen)) == ROUNDS + 1
    assert refreshes(twin) == [200] * (ROUNDS + 1)
    assert stored(table_name) == twin.refresh_token


def test_a_worker_who_comes_late_takes_the_token_that_another_has_fetched(
    table_name: str, twin: QuickBooksTwin
) -> None:
    early, late = a_worker(table_name, twin), a_worker(table_name, twin)
    assert early(False) == late(False)

    renewed = early(True)

    assert late(True) == renewed
    assert len(refreshes(twin)) == 2


def test_a_refresh_whose_answer_was_lost_is_done_again_and_no_token_is_lost(
    table_name: str, twin: QuickBooksTwin
) -> None:
    worker = a_worker(table_name, twin)
    worker(False)
    twin.faults = [Fault("/tokens/bearer", "drop_answer", 0)]
    with pytest.raises(VendorUnavailable):
        worker(True)

    again = worker(True)

    assert again
    assert stored(table_name) == twin.refresh_token


@pytest.mark.parametrize("kind", ["garble", "status"])
def test_a_sign_in_that_talks_nonsense_is_asked_again(table_name: str, twin: QuickBooksTwin, kind: str) -> None:
    twin.faults = [Fault("/tokens/bearer", kind)]  # type: ignore[arg-type]
    with pytest.raises(VendorUnavailable):
        a_worker(table_name, twin)(False)

    assert a_worker(table_name, twin)(False)


def test_a_consent_that_was_withdrawn_is_named(table_name: str, twin: QuickBooksTwin) -> None:
    worker = a_worker(table_name, twin)
    worker(False)
    twin.refresh_token, twin._previous_token = "RT1-other", ""

    with pytest.raises(VendorUnavailable, match="invalid_grant"):
        worker(True)
