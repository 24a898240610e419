"""How versions of a policy follow each other: nobody publishes their own, nothing published changes, no number lies."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.directory import NOBODY, Directory, Member
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.policy_book import draft, edit, find, publish, rollback
from dealdesk.domain.policy_version import InFlight, PolicyStatus, PolicyVersion, Treatment, binding, in_force
from dealdesk.errors import Conflict, Malformed, PolicyHasErrors, PolicyUnknown, PublisherIsAuthor, VersionMoved
from dealdesk.policies import shipped_version, template_document
from tests.unit.domain.quotes import a_document, a_rule

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ANN, BEN, CLEO = "person-ann", "person-ben", "person-cleo"


def content(limit: str = "20.00") -> dict[str, Any]:
    executive = a_rule("EXEC", fact="term_months", rows=[{"limit": "60"}], action={"approve": "executive"})
    return a_document(a_rule(rows=[{"key": [], "limit": limit}]), executive)


def a_draft(versions: list[PolicyVersion], limit: str = "20.00", author: str = ANN, **fields: Any) -> PolicyVersion:
    version = draft(versions, "p", content(limit), author=author, now=NOW, **fields)
    versions.append(version)
    return version


def put_in_force(versions: list[PolicyVersion], by: str = BEN, now: datetime = NOW, **fields: Any) -> PolicyVersion:
    version = publish(versions, None, by=by, now=now, **fields)
    versions[-1] = version
    return version


def limit_of(version: PolicyVersion) -> str:
    return str(version.content["rules"][0]["rows"][0]["limit"])


# -- numbers


def test_pitfall_22_the_first_version_is_number_one_and_the_next_is_two() -> None:
    versions: list[PolicyVersion] = []

    first, second = a_draft(versions), a_draft(versions)

    assert (first.number, second.number) == (1, 2)
    assert (first.parent_version, second.parent_version) == (None, 1)


def test_pitfall_22_a_version_says_its_number_in_its_document_and_in_its_hash() -> None:
    version = a_draft([])

    policy = parse_policy(version.content)

    assert (policy.policy_id, policy.version, policy.hash) == ("p", 1, version.hash)


def test_pitfall_22_publishing_keeps_the_number_and_the_content() -> None:
    versions: list[PolicyVersion] = []
    before = a_draft(versions)

    after = put_in_force(versions)

    assert (after.number, after.document, after.hash) == (before.number, before.document, before.hash)


def test_pitfall_22_a_rollback_lands_on_the_version_that_was_named() -> None:
    versions: list[PolicyVersion] = []
    for limit in ("10", "20", "30"):
        a_draft(versions, limit)
        put_in_force(versions)

    again = rollback(versions, 2, by=BEN, now=NOW, comment="too loose")

    assert (again.number, again.parent_version, limit_of(again)) == (4, 2, "20")
    assert again.comment == "rollback to version 2: too loose"
    assert again.content["version"] == 4


STEPS = st.lists(st.sampled_from(["draft", "edit", "publish", "rollback"]), max_size=20)


@given(STEPS)
def test_pitfall_22_numbers_have_no_gaps_and_what_was_published_never_changes(steps: list[str]) -> None:
    versions: list[PolicyVersion] = []
    published: dict[int, PolicyVersion] = {}
    a_draft(versions)
    for place, step in enumerate(steps):
        now = NOW + place * DAY
        newest = versions[-1]
        if step == "draft":
            a_draft(versions)
        elif step == "edit":
            versions.append(edit(versions, newest.number, {"document": content(str(place))}, author=ANN, now=now))
        elif step == "publish" and newest.status is PolicyStatus.DRAFT:
            published[newest.number] = put_in_force(versions, now=now)
        elif step == "rollback" and published:
            again = rollback(versions, min(published), by=BEN, now=now)
            versions.append(again)
            published[again.number] = again

        assert [version.number for version in versions] == list(range(1, len(versions) + 1))
        assert all(version.content["version"] == version.number for version in versions)
        assert {n: versions[n - 1] for n in published} == published
        assert in_force(versions, now) == (published[max(published)] if published else None)


# -- two people


def test_the_author_does_not_publish() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)

    with pytest.raises(PublisherIsAuthor):
        publish(versions, 1, by=ANN, now=NOW)


def test_everybody_who_wrote_since_the_last_publishing_is_an_author() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    versions.append(edit(versions, 1, {"document": content("15")}, author=BEN, now=NOW))
    for person in (ANN, BEN):
        with pytest.raises(PublisherIsAuthor):
            publish(versions, 2, by=person, now=NOW)

    put_in_force(versions, by=CLEO)
    following = edit(versions, 2, {"comment": "next"}, author=BEN, now=NOW)

    assert following.authors == (BEN,)


@pytest.mark.parametrize("author", [ANN, CLEO])
def test_a_rollback_is_published_by_somebody_who_did_not_write_the_old_content(author: str) -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    versions.append(edit(versions, 1, {"document": content("15")}, author=CLEO, now=NOW))
    put_in_force(versions)

    with pytest.raises(PublisherIsAuthor):
        rollback(versions, 2, by=author, now=NOW)


# -- what is not published


def test_pitfall_23_a_policy_that_cannot_be_evaluated_is_not_published() -> None:
    broken = content()
    broken["rules"][0]["fact"] = "discount"
    versions = [draft([], "p", broken, author=ANN, now=NOW)]

    with pytest.raises(PolicyHasErrors) as refused:
        publish(versions, 1, by=BEN, now=NOW)

    assert refused.value.problems[0][0] == "/rules/0/fact"


def test_pitfall_24_the_checks_look_at_the_draft_and_not_at_what_is_in_force() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    put_in_force(versions)
    versions.append(edit(versions, 1, {"document": a_document(a_rule(fact="x"))}, author=ANN, now=NOW))

    with pytest.raises(PolicyHasErrors):
        publish(versions, 2, by=BEN, now=NOW)


def test_pitfall_25_a_policy_whose_executive_step_can_never_fire_is_not_published() -> None:
    document = template_document("classic")
    document["rules"][0]["rows"][0]["limit"] = "20.00"  # type: ignore[index]
    versions = [draft([], "p", document, author=ANN, now=NOW)]

    with pytest.raises(PolicyHasErrors, match="Executive approval"):
        publish(versions, 1, by=BEN, now=NOW)


def test_an_empty_approver_group_keeps_a_policy_from_being_published() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    left = Directory((Member("person-eve", ("grp-executive",), active=False), Member("person-fin", ("grp-finance",))))

    with pytest.raises(PolicyHasErrors, match="nobody is in grp-executive"):
        publish(versions, 1, by=BEN, now=NOW, directory=left)


def test_a_group_that_only_tokens_and_crms_know_is_not_called_empty() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)

    assert publish(versions, 1, by=BEN, now=NOW, directory=NOBODY).published_by == BEN


def test_an_author_does_not_publish_under_another_of_their_names() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    one_person = Directory((Member(ANN, aliases=(BEN,)),))

    with pytest.raises(PublisherIsAuthor):
        publish(versions, 1, by=BEN, now=NOW, directory=one_person)


def test_what_is_published_is_not_published_again() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    put_in_force(versions)

    with pytest.raises(Conflict, match="published already"):
        publish(versions, 1, by=CLEO, now=NOW)


def test_only_the_version_that_was_seen_is_published_or_edited() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    a_draft(versions)

    with pytest.raises(VersionMoved):
        publish(versions, 1, by=BEN, now=NOW)
    with pytest.raises(VersionMoved):
        edit(versions, 1, {"comment": "late"}, author=BEN, now=NOW)


def test_a_version_that_is_not_there_or_was_never_published_is_not_rolled_back_to() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)

    with pytest.raises(Conflict, match="never published"):
        rollback(versions, 1, by=BEN, now=NOW)
    with pytest.raises(PolicyUnknown):
        rollback(versions, 2, by=BEN, now=NOW)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "x" * 65])
def test_an_id_that_no_document_may_carry_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        draft([], name, content(), author=ANN, now=NOW)


def test_a_number_beyond_all_bounds_is_refused() -> None:
    with pytest.raises(Malformed):
        draft([], "p", {"name": float("inf")}, author=ANN, now=NOW)


# -- effective dates


def test_pitfall_23_a_version_decides_from_its_day_to_its_end_and_then_the_one_before_it() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    put_in_force(versions)
    a_draft(versions)
    put_in_force(versions, effective_from=NOW + DAY, effective_to=NOW + 2 * DAY)

    tick = timedelta(microseconds=1)
    moments = [NOW - tick, NOW, NOW + DAY - tick, NOW + DAY, NOW + 2 * DAY - tick, NOW + 2 * DAY]
    deciding = [in_force(versions, moment) for moment in moments]

    assert [version and version.number for version in deciding] == [None, 1, 1, 2, 2, 1]


def test_a_version_that_waits_for_its_day_is_replaced_by_another_for_the_same_day() -> None:
    versions: list[PolicyVersion] = []
    for hours in (1, 2):
        a_draft(versions)
        put_in_force(versions, now=NOW + hours * timedelta(hours=1), effective_from=NOW + DAY)

    deciding = in_force(versions, NOW + DAY)

    assert deciding is find(versions, 2)


def test_a_version_that_waits_for_its_day_is_not_put_off_by_one_that_is_published_later_for_now() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    put_in_force(versions, effective_from=NOW + DAY)
    a_draft(versions)
    put_in_force(versions, now=NOW + timedelta(hours=1))

    assert in_force(versions, NOW + DAY / 2) is find(versions, 2)
    assert in_force(versions, NOW + DAY) is find(versions, 1)


def test_nothing_is_decided_after_the_fact() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions, effective_from=NOW - 30 * DAY)

    assert put_in_force(versions).effective_from == NOW


def test_a_version_that_would_end_before_it_begins_is_refused() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions, effective_to=NOW - DAY)

    with pytest.raises(Malformed):
        publish(versions, 1, by=BEN, now=NOW)


def test_the_shipped_policy_is_a_published_version_like_any_other() -> None:
    shipped = shipped_version()

    following = edit([shipped], 1, {"comment": "ours"}, author=ANN, now=NOW)

    assert in_force([shipped], NOW) is shipped
    assert parse_policy(shipped.content).hash == shipped.hash
    assert (following.number, following.parent_version, following.template_id) == (2, 1, "classic")


# -- deals in flight

AT_ONCE = InFlight(Treatment.RE_EVALUATE)
FRIDAY = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def until(day: date) -> InFlight:
    return InFlight(Treatment.GRANDFATHER, day)


def followed(*choices: InFlight | None, decided: int = 1, days: float = 0, ends: int | None = None) -> int:
    """The number that a deal of version `decided` follows, `days` after one version a day was published."""
    versions: list[PolicyVersion] = []
    for place, choice in enumerate((None, *choices)):
        a_draft(versions)
        end = NOW + ends * DAY if ends and place == len(choices) else None
        put_in_force(versions, now=NOW + place * DAY, in_flight=choice, effective_to=end)
    return binding(versions, find(versions, decided), NOW + (len(choices) + days) * DAY).number


@pytest.mark.parametrize(
    ("begins", "last"),
    [
        (datetime(2026, 11, 23, tzinfo=UTC), date(2026, 11, 30)),
        (FRIDAY, date(2026, 12, 4)),
        (datetime(2026, 11, 28, 9, 0, tzinfo=UTC), date(2026, 12, 4)),
        (datetime(2026, 11, 29, 23, 59, tzinfo=UTC), date(2026, 12, 4)),
    ],
)
def test_deals_in_flight_keep_their_version_for_five_business_days_unless_the_publisher_says_otherwise(
    begins: datetime, last: date
) -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)

    assert put_in_force(versions, now=NOW, effective_from=begins).in_flight == until(last)


def test_a_grandfathered_deal_keeps_its_version_through_the_last_day() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    put_in_force(versions)
    a_draft(versions)
    put_in_force(versions, now=NOW + DAY, in_flight=until(date(2026, 11, 25)))

    last = datetime(2026, 11, 25, 23, 59, 59, 999_999, tzinfo=UTC)
    moments = [NOW + DAY, last, last + timedelta(microseconds=1)]

    assert [binding(versions, versions[0], moment).number for moment in moments] == [1, 1, 2]


def test_re_evaluated_deals_follow_the_new_version_from_its_first_moment() -> None:
    assert followed(AT_ONCE) == 2
    assert followed() == 1


def test_a_deal_keeps_its_version_only_while_every_version_since_spares_it() -> None:
    long = until(date(2027, 1, 1))

    assert followed(long, long) == 1
    assert followed(long, AT_ONCE) == 3
    assert followed(AT_ONCE, long) == 3
    assert followed(AT_ONCE, long, decided=2) == 2


def test_a_version_that_waits_for_its_day_changes_nothing_for_deals_before_it() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    put_in_force(versions)
    a_draft(versions)
    put_in_force(versions, now=NOW, effective_from=NOW + DAY, in_flight=AT_ONCE)

    assert [binding(versions, versions[0], NOW + n * DAY).number for n in (0, 1)] == [1, 2]


def test_what_has_ended_has_no_say_and_binds_nobody() -> None:
    assert followed(AT_ONCE, ends=2, days=0.5) == 2
    assert followed(AT_ONCE, ends=2, days=1) == 1
    assert followed(AT_ONCE, decided=2, ends=2, days=1) == 1


def test_another_policy_that_takes_over_binds_the_deals_in_flight_too() -> None:
    ours: list[PolicyVersion] = []
    a_draft(ours)
    put_in_force(ours)
    theirs = draft([], "other", content(), author=ANN, now=NOW)
    theirs = publish([theirs], 1, by=BEN, now=NOW + DAY, in_flight=AT_ONCE)

    assert binding([*ours, theirs], ours[0], NOW + DAY) is theirs


def test_deals_in_flight_are_not_spared_until_a_day_before_the_version_begins() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)

    with pytest.raises(Malformed) as refused:
        publish(versions, None, by=BEN, now=NOW, in_flight=until(date(2026, 11, 21)))

    assert refused.value.pointer == "/in_flight/until"


def test_a_rollback_says_what_happens_to_deals_in_flight_too() -> None:
    versions: list[PolicyVersion] = []
    a_draft(versions)
    put_in_force(versions)

    assert rollback(versions, 1, by=BEN, now=NOW, in_flight=AT_ONCE).in_flight == AT_ONCE
    assert rollback(versions, 1, by=BEN, now=FRIDAY).in_flight == until(date(2026, 12, 4))


CHOICES = st.one_of(st.just(AT_ONCE), st.integers(0, 8).map(lambda n: until((NOW + n * DAY).date())))


@given(st.lists(CHOICES, max_size=6), st.integers(1, 7), st.integers(0, 9))
def test_a_deal_follows_its_own_version_or_the_one_in_force(choices: list[InFlight], decided: int, days: int) -> None:
    versions: list[PolicyVersion] = []
    for choice in [AT_ONCE, *choices]:
        a_draft(versions)
        put_in_force(versions, now=NOW + len(versions) * timedelta(minutes=1), in_flight=choice)
    own = versions[min(decided, len(versions)) - 1]
    moments = [NOW + DAY / 2 + n * DAY for n in range(days + 1)]

    found = [binding(versions, own, moment) for moment in moments]

    assert all(version in (own, in_force(versions, moment)) for version, moment in zip(found, moments, strict=True))
    assert found == sorted(found, key=lambda version: version.number), "once it has moved on it never goes back"
