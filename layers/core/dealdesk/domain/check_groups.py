"""Checks of the approval steps against the people there are: whether the ones that are asked can answer at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from dealdesk.domain.approval_steps import Step
from dealdesk.domain.findings import Finding, Severity
from dealdesk.domain.policy import Policy

Groups = Mapping[str, Collection[str]]
"""The members of each approver group that is known; of any other, nothing is said."""


def check_groups(policy: Policy, groups: Groups | None) -> Iterator[Finding]:
    """What is odd about whom the steps ask. Nobody's group is empty or too small while `groups` is None."""
    for step in policy.steps.values():
        yield from _asks_twice(step)
        if groups is not None and step.group in groups and step.id in policy.order:
            yield from _unanswerable(step, groups)
            yield from _empty_backups(step, groups)


def _unanswerable(step: Step, groups: Groups) -> Iterator[Finding]:
    members = len(set(groups[step.group]))
    if not members:
        told = f"nobody is in {step.group}, so {step.label} would wait for ever"
        right = "add somebody to it, or name another group"
        yield Finding(Severity.ERROR, "empty_group", f"{_at(step)}/group", told, right)
    elif step.needs is not None and step.needs > members:
        told = f"{step.label} needs {step.needs} answers, but {step.group} has only {members}"
        right = f'use "all" or at most {members}, or add somebody to {step.group}'
        yield Finding(Severity.ERROR, "too_few_approvers", f"{_at(step)}/needs", told, right)


def _asks_twice(step: Step) -> Iterator[Finding]:
    if step.group in step.backups:
        pointer = f"{_at(step)}/backups/{step.backups.index(step.group)}"
        told = f"{step.group} is to stand in for itself when nobody of it can answer {step.label}"
        yield Finding(Severity.WARNING, "backup_is_group", pointer, told, "name another group, or remove it")


def _empty_backups(step: Step, groups: Groups) -> Iterator[Finding]:
    for index, backup in enumerate(step.backups):
        if backup in groups and not groups[backup]:
            pointer = f"{_at(step)}/backups/{index}"
            told = f"nobody is in {backup}, which is to stand in for {step.group}"
            yield Finding(Severity.WARNING, "empty_backup", pointer, told, "add somebody to it, or remove it")


def _at(step: Step) -> str:
    return f"/approvals/steps/{step.id}"
