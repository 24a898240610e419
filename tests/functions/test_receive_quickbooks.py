"""QuickBooks' notifications: proven over the raw bytes, kept as hints, and believed only when read back."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import pytest

from dealdesk.contracts import quickbooks as contract
from dealdesk.domain.stages import Stage
from dealdesk.edge import aws, proofs
from dealdesk.edge.reactions import Parked, parse_message
from dealdesk.errors import AlreadyHandled, DealUnknown, NotFound, SignatureRefused, Unavailable
from dealdesk.ports import Cause, InvoiceReport
from dealdesk.usecases.report_invoice import report_invoice
from local.tokens import QUICKBOOKS_REALM
from local.twins.quickbooks import QuickBooksTwin
from tests.contract.ledgers.bench import a_draft
from tests.contract.ledgers.quickbooks import QuickbooksBench, quickbooks_books
from tests.functions.messages import happened, keep
from tests.journeys.world import World
from tests.unit.domain.deals import a_deal

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
# The sample of Intuit's page about CloudEvents, byte by byte, signed with `verifier-token-1` by another hand.
SAMPLE = (
    b'[{"specversion": "1.0", "id": "88cd52aa-33b6-4351-9aa4-47572edbd068", "source": '
    b'"intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=", "type": "qbo.invoice.updated.v1", "datacontenttype": '
    b'"application/json", "time": "2025-09-10T21:31:25.179851517Z", "intuitentityid": "1234", "intuitaccountid": '
    b'"310687", "data": {}}]'
)
SAMPLE_SIGNATURE = "xlCYr9tMJEZ/JQGydQMnERC6H3ZYkUYsdUewRvlG0eA="


def an_event(number: int = 1, **changed: Any) -> dict[str, Any]:
    known = {
        "specversion": "1.0",
        "id": f"event-{number}",
        "type": "qbo.invoice.updated.v1",
        "intuitentityid": str(1_000 + number),
        "intuitaccountid": QUICKBOOKS_REALM,
        "data": {},
    }
    return known | changed


def signature(body: bytes, token: str) -> str:
    return base64.b64encode(hmac.new(token.encode(), body, sha256).digest()).decode()


def send(desk: World, body: bytes, header: str | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
    token = desk.secrets["quickbooks"]["verifier_tokens"][0]
    proof = signature(body, token) if header is None else header
    sent = {"Content-Type": "application/json", "intuit-signature": proof, **headers}
    answer = desk.invoke("receive_quickbooks", {"body": body.decode(), "headers": sent, "isBase64Encoded": False})
    return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def hints(desk: World) -> Iterator[list[dict[str, Any]]]:
    """What waits in the queue of `post_invoice`, read as that function reads it."""
    queue = desk.queues["PostInvoiceQueue"].messages
    queue.clear()
    kept: list[dict[str, Any]] = []
    yield kept
    queue.clear()


def waiting(desk: World) -> list[dict[str, Any]]:
    messages = [parse_message(message.body) for message in desk.queues["PostInvoiceQueue"].messages]
    assert all(isinstance(message, Parked) and message.kind == "quickbooks" for message in messages)
    return [message.message for message in messages if isinstance(message, Parked)]


def test_intuits_sample_is_proven_by_its_signature() -> None:
    proofs.intuit(SAMPLE_SIGNATURE, SAMPLE, ["another-token", "verifier-token-1"])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "not base64!",
        signature(SAMPLE, "another-token"),
        hmac.new(b"verifier-token-1", SAMPLE, sha256).hexdigest(),
        signature(SAMPLE + b" ", "verifier-token-1"),
        signature(json.dumps(json.loads(SAMPLE), separators=(",", ":")).encode(), "verifier-token-1"),
        SAMPLE_SIGNATURE.swapcase(),
    ],
    ids=["none", "empty", "no base64", "another token", "hex", "other bytes", "serialised again", "swapped case"],
)
def test_only_the_base64_signature_of_the_raw_bytes_is_a_proof(header: str | None) -> None:
    with pytest.raises(SignatureRefused):
        proofs.intuit(header, SAMPLE, ["verifier-token-1"])


@pytest.mark.parametrize("tokens", [[], [""]])
def test_without_a_verifier_token_nothing_is_believed(tokens: list[str]) -> None:
    with pytest.raises(Unavailable):
        proofs.intuit(signature(SAMPLE, ""), SAMPLE, tokens)


def test_a_touched_invoice_of_ours_is_kept_as_a_hint(desk: World, hints: list[dict[str, Any]]) -> None:
    answer = send(desk, SAMPLE)

    assert answer == (200, {"status": "kept", "hints": 1})
    assert waiting(desk) == [
        {
            "cause": "quickbooks:88cd52aa-33b6-4351-9aa4-47572edbd068",
            "ledger_id": "1234",
            "operation": "updated",
        }
    ]


def test_of_many_companies_and_kinds_only_our_invoices_are_kept(desk: World, hints: list[dict[str, Any]]) -> None:
    events = [
        an_event(1),
        an_event(2, intuitaccountid="another"),
        an_event(3, type="qbo.customer.created.v1"),
        an_event(4, type="qbo.invoice.voided.v1"),
        an_event(5, type="invoice"),
    ]

    status, body = send(desk, json.dumps(events).encode(), **{"Content-Type": "application/cloudevents-batch+json"})

    assert (status, body["hints"]) == (200, 2)
    assert [(hint["ledger_id"], hint["operation"]) for hint in waiting(desk)] == [
        ("1001", "updated"),
        ("1004", "voided"),
    ]


def test_a_message_without_proof_leaves_nothing_behind(desk: World, hints: list[dict[str, Any]]) -> None:
    assert send(desk, SAMPLE, signature(SAMPLE, "wrong"))[0] == 401
    assert waiting(desk) == []


@pytest.mark.parametrize("body", [b"{}", b"[1]", b'[{"id": "1"}]', b"[", b"[[[[", b'[{"id": 7}]'])
def test_a_proven_message_that_cannot_be_read_is_refused(desk: World, hints: list[dict[str, Any]], body: bytes) -> None:
    assert send(desk, body)[0] == 422
    assert waiting(desk) == []


def test_the_old_format_is_refused_and_not_taken_for_nothing(desk: World, hints: list[dict[str, Any]]) -> None:
    assert send(desk, b'{"eventNotifications": []}')[0] == 422


def test_hints_that_could_not_be_kept_are_sent_again_by_quickbooks(
    desk: World, hints: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def send_message(self, **_: object) -> None:
            raise ConnectionError("no queue")

    monkeypatch.setitem(aws.clients, "sqs", Full())

    assert send(desk, SAMPLE)[0] == 503


def test_a_hundred_hints_are_answered_well_within_three_seconds(desk: World, hints: list[dict[str, Any]]) -> None:
    body = json.dumps([an_event(number) for number in range(100)]).encode()
    began = time.monotonic()

    assert send(desk, body)[0] == 200

    assert time.monotonic() - began < 1.5
    assert len(waiting(desk)) == 100


# -- read back


def test_an_invoice_is_read_back_with_its_deal_and_what_is_open() -> None:
    with quickbooks_books() as bench:
        assert isinstance(bench, QuickbooksBench)
        made = bench.ledger().post("k", a_draft(), a_deal(Stage.PAID), date(2026, 11, 22))
        bench.twin.act("receive_payment", {"invoice_id": made.ledger_id, "amount": "1000.50"})

        report = bench.ledger().report(made.ledger_id, "updated")

        assert report == InvoiceReport("d-1", "inv_d-1_1", made.ledger_id, "updated: 0.00 of 1000.50 USD open")


def test_an_invoice_that_the_desk_did_not_post_is_nobodys() -> None:
    with quickbooks_books() as bench:
        assert isinstance(bench, QuickbooksBench)
        assert isinstance(bench.twin, QuickBooksTwin)
        bench.take_number("BY-HAND-1")

        assert bench.ledger().report(bench.twin.state()["Invoice"][0]["Id"], "created") is None


def test_a_report_is_remembered_once_and_moves_nothing(desk: World) -> None:
    before = keep(desk, Stage.CLOSED, "reported")
    deals, cause = desk.port("receive_stripe", "deals"), Cause("quickbooks", "event-77")
    report = InvoiceReport("reported", "inv_reported_1", "qb-1", "updated: 0 of 100 USD open")

    after = report_invoice(deals, report, cause=cause, vendor="quickbooks", now=NOW)
    with pytest.raises(AlreadyHandled):
        report_invoice(deals, report, cause=cause, vendor="quickbooks", now=NOW)

    assert happened(desk, "reported")[-1] == "invoice.reported"
    assert (after.stage, after.invoices, after.payments) == (before.stage, before.invoices, before.payments)


def test_a_report_about_a_stranger_changes_nothing(desk: World) -> None:
    deals, cause = desk.port("receive_stripe", "deals"), Cause("quickbooks", "event-78")
    keep(desk, Stage.CLOSED, "reported-2")

    with pytest.raises(DealUnknown):
        report_invoice(deals, InvoiceReport("nobody", "i", "1", ""), cause=cause, vendor="quickbooks", now=NOW)
    with pytest.raises(NotFound):
        report_invoice(deals, InvoiceReport("reported-2", "i", "1", ""), cause=cause, vendor="quickbooks", now=NOW)


def test_an_event_names_its_operation_and_its_cause() -> None:
    events = contract.parse_events(json.dumps([an_event(3, type="qbo.invoice.deleted.v1")]).encode())

    assert list(contract.hints_of(events, QUICKBOOKS_REALM)) == [contract.Hint("quickbooks:event-3", "1003", "deleted")]
