"""What goes wrong is drawn from the seed alone."""

from __future__ import annotations

from collections import Counter

from local.people import PATHS
from tests.chaos.plan import KINDS, MODES, TWINS, Killed, Restarted, Submitted, WebhooksGo, plan, script


def test_one_seed_is_one_plan() -> None:
    assert plan(7, 30, 120) == plan(7, 30, 120)
    assert plan(7, 30, 120) != plan(8, 30, 120)


def test_more_deals_change_nothing_in_the_troubles() -> None:
    few, many = (
        [strike for strike in plan(7, deals, 120) if not isinstance(strike[1], Submitted)] for deals in (3, 60)
    )

    assert few == many


def test_every_plan_has_every_kind_of_trouble_in_time_and_in_order() -> None:
    for seed in range(50):
        strikes = plan(seed, 36, 120)
        seconds = [second for second, _ in strikes]
        modes = {strike.mode for _, strike in strikes if isinstance(strike, WebhooksGo)}

        assert seconds == sorted(seconds)
        assert 0 <= seconds[0] <= seconds[-1] < 120
        assert modes == set(MODES)
        assert {type(strike) for _, strike in strikes} == {Submitted, WebhooksGo, Killed, Restarted}


def test_every_vendor_has_a_script_of_its_own_and_all_kinds_of_faults_occur() -> None:
    scripts = {twin: script(7, twin, 36) for twin in TWINS}

    assert scripts == {twin: script(7, twin, 36) for twin in TWINS}
    assert len({str(one) for one in scripts.values()}) == len(TWINS)
    assert {fault.message for one in scripts.values() for fault in one} == set(KINDS)
    assert {len(one) for one in scripts.values()} == {2 * 36}


def test_what_docusign_tells_only_once_is_never_lost() -> None:
    spells = [strike for seed in range(50) for _, strike in plan(seed, 1, 120) if isinstance(strike, WebhooksGo)]

    assert WebhooksGo("docusign", "lost") not in spells
    assert {spell.mode for spell in spells if spell.twin == "docusign"} == set(MODES) - {"lost"}


def test_every_set_of_vendors_has_its_share_of_the_deals() -> None:
    by_path = Counter(strike.path for _, strike in plan(1, 36, 120) if isinstance(strike, Submitted))

    assert by_path == dict.fromkeys(PATHS, 12)


def test_a_long_run_is_restarted_more_than_once() -> None:
    assert [
        sum(isinstance(strike, Restarted) for _, strike in plan(3, 36, minutes * 60)) for minutes in (1, 2, 10)
    ] == [
        1,
        1,
        4,
    ]
