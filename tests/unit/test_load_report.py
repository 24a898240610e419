"""What a load run reports of answers, and when it says that something is wrong."""

from __future__ import annotations

from urllib3.exceptions import ReadTimeoutError

from local.stack import Answer
from tests.load.answers import NOTHING, Answered, Answers, percentile
from tests.load.report import Load
from tests.load.storm import Storm


def load(answers: Answers, *, faults: list[str] | None = None, storms: list[Storm] | None = None) -> Load:
    return Load(figures=[], looks=[], answers=answers, in_storms=Answers(), storms=storms or [], faults=faults or [])


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    hundred = [float(value) for value in range(1, 101)]

    assert [percentile(hundred, percent) for percent in (50, 95, 99)] == [50, 95, 99]
    assert percentile([7.0], 99) == 7
    assert percentile([1.0, 2.0], 95) == 2


def test_answers_are_counted_by_route_and_kind() -> None:
    answers = Answers([Answered("GET /deals", status, 10) for status in (200, 404, 409, 503, NOTHING)])

    (route,) = answers.routes()

    assert (route.answers, route.refused_4xx, route.failed_5xx, route.unanswered) == (5, 2, 1, 1)


def test_a_request_without_an_answer_is_noted_as_one() -> None:
    def silent() -> Answer:
        raise ReadTimeoutError(None, None, "nothing came")  # type: ignore[arg-type]

    answers = Answers()

    assert answers.timed("GET /deals", silent).status == NOTHING
    assert [answered.status for answered in answers.seen] == [NOTHING]


def test_a_run_is_right_only_without_faults_storms_gone_wrong_and_5xx() -> None:
    fine = Answers([Answered("GET /deals", 409, 10)])
    storm = Storm("a storm", 1, 1.0, 9, 8, ("the table has 9 rows more, at most 8 are expected",))

    assert load(fine).wrong == []
    assert load(fine, faults=["sf-1: invoice.posted happened 2 times"]).wrong
    assert load(fine, storms=[storm]).wrong == ["a storm: the table has 9 rows more, at most 8 are expected"]
    assert load(Answers([Answered("GET /deals", 502, 10)])).wrong == ["1 answers were a 5xx"]
