"""REST about a contract that is out: who may have it sent again or shown, and what is refused before it changes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from dealdesk.domain.stages import Stage
from tests.functions.conftest import Said
from tests.functions.messages import happened, keep, rows, stored
from tests.functions.quotes import a_quote
from tests.functions.test_rest import DESK, REP, ROLES, created, is_problem, key
from tests.journeys.world import World

Json = dict[str, Any]
OTHER_REP: Json = {"user": "person-else", "role": "rep"}
WRITES = frozenset({"rep", "deal_desk", "admin", "service"})
SHOWS = frozenset({"deal_desk", "admin", "service"})
ACTS = [("resend", WRITES, 202), ("view", SHOWS, 200)]


def out(desk: World, provider: str = "docusign", **fields: Any) -> Json:
    """A deal of `person-rep` whose contract is with the customer."""
    deal = created(desk, a_quote(name=f"{provider} {len(rows())}", providers={"signature": provider}, **fields))
    desk.settle()
    deal = desk.deal(deal["deal_id"])
    assert deal["stage"] == "out_for_signature", deal
    return deal


def act(desk: World, deal_id: str, what: str, who: Json = DESK, *, keyed: str | None = None) -> tuple[int, Any]:
    return desk.rest("POST", f"/deals/{deal_id}/signature/{what}", headers=key(keyed) if keyed else {}, **who)


def e_mails(desk: World, deal: Json) -> int:
    return int(desk.twins["docusign"].envelopes[deal["envelope"]["id"]].resent)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("what", "allowed"), [each[:2] for each in ACTS])
def test_a_role_that_may_do_it_learns_that_there_is_no_such_deal_and_the_others_are_refused(
    desk: World, what: str, allowed: frozenset[str]
) -> None:
    before = rows()

    for role in (*ROLES, "owner"):
        is_problem(act(desk, "nowhere", what, {"user": "person-x", "role": role}), 404 if role in allowed else 403)
    is_problem(act(desk, "nowhere", what, {}), 403, "nobody vouches")

    assert rows() == before


def test_the_e_mail_is_sent_again_once_for_one_key(desk: World) -> None:
    deal = out(desk)

    answers = [act(desk, deal["deal_id"], "resend", REP, keyed="again") for _ in range(2)]
    desk.settle()

    assert [status for status, _ in answers] == [202, 202]
    assert answers[0] == answers[1]
    assert e_mails(desk, deal) == 1
    told = happened(desk, deal["deal_id"])
    assert (told.count("document.resend_requested"), told.count("document.resent")) == (1, 1)
    assert desk.deal(deal["deal_id"])["stage"] == "out_for_signature"


def test_a_reminder_goes_out_at_dropbox_sign_and_a_second_one_within_the_hour_changes_nothing(desk: World) -> None:
    deal = out(desk, "dropbox_sign")
    (signature,) = desk.twins["dropbox_sign"].signature_requests[deal["envelope"]["id"]].signatures  # type: ignore[attr-defined]

    act(desk, deal["deal_id"], "resend", REP)
    desk.settle()
    reminded = signature.reminded_at
    act(desk, deal["deal_id"], "resend", REP)
    desk.settle()

    assert reminded is not None
    assert signature.reminded_at == reminded
    assert happened(desk, deal["deal_id"]).count("document.resent") == 2
    assert desk.deal(deal["deal_id"])["failures"] == []


def test_a_rep_has_no_other_reps_contract_sent_again(desk: World) -> None:
    deal = out(desk)

    is_problem(act(desk, deal["deal_id"], "resend", OTHER_REP), 404)
    desk.settle()

    assert e_mails(desk, deal) == 0


def test_terms_that_lost_their_approval_after_it_was_asked_are_not_sent_again(desk: World) -> None:
    deal = out(desk)
    act(desk, deal["deal_id"], "resend", REP)

    desk.sleep(days=15)
    desk.settle()

    assert e_mails(desk, deal) == 0
    (failure,) = desk.deal(deal["deal_id"])["failures"]
    assert "expired" in failure


def test_the_address_opens_the_contract_once_and_is_neither_kept_nor_logged(desk: World, said: Said) -> None:
    deal = out(desk)
    said.lines()

    status, answer = act(desk, deal["deal_id"], "view")

    assert (status, set(answer)) == (200, {"url"})
    token = answer["url"].rpartition("/")[2]
    assert token not in json.dumps(said.lines())
    assert token not in json.dumps(rows())
    visits = [requests.get(answer["url"], timeout=5, allow_redirects=False) for _ in range(2)]
    assert [visit.status_code for visit in visits] == [200, 302]
    assert visits[1].headers["Location"].startswith("https://desk.test/console/signatures/done?")


def test_the_timeline_tells_who_asked_for_an_address(desk: World) -> None:
    deal = out(desk)

    act(desk, deal["deal_id"], "view")

    _, timeline = desk.rest("GET", f"/deals/{deal['deal_id']}/timeline", **DESK)
    event = timeline["events"][-1]
    assert (event["type"], event["actor"]) == ("document.view_requested", DESK["user"])
    assert event["data"] == {"envelope_id": deal["envelope"]["id"]}


def test_the_same_key_again_is_another_address_and_one_line_of_the_timeline(desk: World) -> None:
    deal = out(desk)

    urls = [act(desk, deal["deal_id"], "view", keyed="the-same")[1]["url"] for _ in range(2)]

    assert urls[0] != urls[1]
    assert happened(desk, deal["deal_id"]).count("document.view_requested") == 1


def test_the_key_of_one_request_is_not_taken_for_another(desk: World) -> None:
    deal = out(desk)
    act(desk, deal["deal_id"], "resend", DESK, keyed="one-key")

    is_problem(act(desk, deal["deal_id"], "view", DESK, keyed="one-key"), 409)


@pytest.mark.parametrize(("what", "_", "status"), ACTS)
def test_the_gate_holds_until_the_approval_ends_and_no_longer(
    desk: World, what: str, _: frozenset[str], status: int
) -> None:
    deal = out(desk)
    assert act(desk, deal["deal_id"], what)[0] == status

    desk.sleep(days=15)

    is_problem(act(desk, deal["deal_id"], what), 409, "expired")


@pytest.mark.parametrize("what", ["resend", "view"])
@pytest.mark.parametrize("stage", [Stage.APPROVED, Stage.SIGNED, Stage.RECALLED])
def test_a_contract_that_is_not_out_is_neither_sent_again_nor_shown(desk: World, what: str, stage: Stage) -> None:
    deal = keep(desk, stage, f"not-out-{what}-{stage.value}")

    is_problem(act(desk, deal.id, what), 409, "no contract")

    assert stored(desk, deal.id).version == deal.version


@pytest.mark.parametrize("what", ["resend", "view"])
def test_an_edit_leaves_nothing_to_send_again_or_to_show(desk: World, what: str) -> None:
    deal = out(desk)
    edit = {"If-Match": f'"{deal["version"]}"'}
    assert desk.rest("PATCH", f"/deals/{deal['deal_id']}", {"payment_terms_days": 20}, headers=edit, **REP)[0] == 200

    is_problem(act(desk, deal["deal_id"], what), 409, "no contract")


def test_dropbox_sign_has_no_page_to_show(desk: World) -> None:
    deal = out(desk, "dropbox_sign")

    is_problem(act(desk, deal["deal_id"], "view"), 502, "Dropbox Sign has no signing page")


def test_a_provider_that_is_busy_is_asked_again_later(desk: World) -> None:
    deal = out(desk)
    desk.fail("docusign", match="/views/recipient", kind="status", status=429)

    is_problem(act(desk, deal["deal_id"], "view"), 503)

    assert act(desk, deal["deal_id"], "view")[0] == 200


def test_a_function_that_fails_is_no_answer(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deal = out(desk)
    function = desk.function("request_signature")

    def defect(*_: object) -> str:
        raise RuntimeError("a defect")

    monkeypatch.setattr(function, "show_contract", defect)

    is_problem(act(desk, deal["deal_id"], "view"), 503, "does not answer")


def test_the_signer_lands_on_a_page_that_promises_nothing(desk: World) -> None:
    status, page = desk.rest("GET", "/console/signatures/done", query={"event": "signing_complete"})

    assert status == 200
    assert "confirmed to you by e-mail" in page


def test_the_deal_shows_until_when_the_contract_can_be_signed_by_docusigns_own_message(desk: World) -> None:
    desk.take_mail()
    deal = out(desk)
    assert deal["expiries"]["envelope"] is None

    letters = [letter for letter in desk.take_mail() if letter.url.endswith("/webhooks/docusign")]
    for letter in letters:
        desk.post(letter)

    told = desk.deal(deal["deal_id"])["expiries"]
    sent_at = desk.twins["docusign"].envelopes[deal["envelope"]["id"]].moments["sent"]  # type: ignore[attr-defined]
    assert datetime.fromisoformat(told["envelope"]) == sent_at + timedelta(days=120)
    assert told["earliest"] == "approval"


def test_a_contract_whose_messages_are_lost_shows_its_end_and_then_ends_by_being_asked_about(desk: World) -> None:
    deal = out(desk)
    envelope = desk.twins["docusign"].envelopes[deal["envelope"]["id"]]  # type: ignore[attr-defined]
    envelope.expire_after_days = 2

    chased(desk, minutes=21)
    known = desk.deal(deal["deal_id"])
    chased(desk, days=2)
    over = desk.deal(deal["deal_id"])

    assert known["expiries"]["earliest"] == "envelope"
    assert (over["stage"], over["envelope"]["status"]) == ("approved", "voided")
    assert "expired" in over["envelope"]["reason"].lower()
    assert over["expiries"]["envelope"] is None
    assert happened(desk, deal["deal_id"]).count("document.expiry_set") == 1


def chased(desk: World, **span: float) -> None:
    desk.take_mail()
    desk.sleep(**span)
    desk.invoke("chase_stalled", {})
    desk.settle()
