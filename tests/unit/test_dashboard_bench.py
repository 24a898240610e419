"""The deals that the benchmark of the dashboard makes up add what real ones add."""

from __future__ import annotations

import random

from dealdesk.domain.stages import Stage
from tests.bench.dashboard import a_deal
from tests.unit.domain.deals import a_story
from tests.unit.domain.test_figures import asked, counted, names, whole_way


def kinds(found: dict[str, int]) -> set[str]:
    return {name.partition(":")[0] for name in found}


def test_made_up_deals_add_under_the_names_of_real_ones() -> None:
    real = kinds(names(counted(whole_way())) | names(counted(asked())) | names(counted(a_story(Stage.REJECTED))))
    dice = random.Random(1)
    made_up = kinds({name: 1 for _ in range(300) for numbers in a_deal(dice).values() for name in numbers})

    assert made_up - real == set()
    assert real - made_up == {"touch.waiting", "presented.open"} & real
