"""A policy document means the same however its JSON is written, and whatever can be read can be run."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.policy_checks import check_document
from dealdesk.domain.quote import Quote
from tests.unit.domain.policies import Json, documents, quotes

# Documents are large: the draws take longer than the desk does.
FEWER = settings(max_examples=40)


def shuffled(value: Any, draw: st.DrawFn) -> Any:
    """The same JSON with the members of every object in another order."""
    if isinstance(value, dict):
        return {name: shuffled(value[name], draw) for name in draw(st.permutations(sorted(value)))}
    return [shuffled(item, draw) for item in value] if isinstance(value, list) else value


@st.composite
def written_twice(draw: st.DrawFn) -> tuple[Json, Json]:
    document = draw(documents())
    return document, shuffled(document, draw)


@FEWER
@given(written_twice(), quotes())
def test_the_order_of_keys_changes_neither_the_hash_nor_a_decision(both: tuple[Json, Json], quote: Quote) -> None:
    one, other = map(parse_policy, both)

    assert other.hash == one.hash
    assert to_json(evaluate(quote, other, {})) == to_json(evaluate(quote, one, {}))


@FEWER
@given(documents(), st.sampled_from([None, 1, 4]), st.booleans())
def test_a_document_survives_being_written_and_read_again(document: Json, indent: int | None, ascii: bool) -> None:
    policy = parse_policy(document)

    again = parse_policy(json.loads(json.dumps(document, indent=indent, ensure_ascii=ascii)))
    canonical = parse_policy(json.loads(policy.canonical))

    assert again == canonical == policy
    assert again.hash == canonical.hash == policy.hash
    assert canonical.canonical == policy.canonical


@FEWER
@given(documents(), st.data())
def test_any_other_value_has_another_hash(document: Json, data: st.DataObject) -> None:
    before = parse_policy(document).hash
    rule = data.draw(st.sampled_from(document["rules"]))
    rule["name"] = f"{rule.get('name', rule['id'])} again"

    assert parse_policy(document).hash != before


@FEWER
@given(documents(), quotes())
def test_what_can_be_read_can_be_checked_and_run(document: Json, quote: Quote) -> None:
    findings = check_document(document)
    decision = evaluate(quote, parse_policy(document), {})

    assert all(finding.pointer.startswith("/") and finding.suggestion for finding in findings)
    asked = {violation.step for violation in decision.violations if violation.step}
    covered = {step for step, _ in decision.covered}
    blocked = any(violation.blocks for violation in decision.violations)
    assert set(decision.required_steps) | covered == (set() if blocked else asked)
