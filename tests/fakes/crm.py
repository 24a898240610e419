"""A CRM in memory: quotes that reps submit, approvals that people decide, and the desk's state as it shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import CrmAnswer, SubmittedQuote


class Trouble(StrEnum):
    """What goes wrong with the next call; after `lost answer` the work is done."""

    LOST_ANSWER = "lost answer"
    UNREADABLE = "unreadable"
    FAILED = "failed"
    TIMEOUT = "timeout"
    SLOW_DOWN = "slow down"


@dataclass(slots=True)
class Decided:
    approve: bool
    by: str
    comment: str
    conditions: str | None = None


class FakeCrm:
    """The `Crm` port; `groups` are the groups of each person as they are now."""

    def __init__(self, quotes: Mapping[str, SubmittedQuote], groups: Mapping[str, frozenset[str]]) -> None:
        self.quotes = dict(quotes)
        self.groups = dict(groups)
        self.shown: dict[str, dict[str, object]] = {}
        self.approvals: dict[str, dict[str, object]] = {}
        self.decided: dict[str, Decided] = {}
        self.trouble: Trouble | None = None

    def submit(self, record_id: str, at: datetime, by: str) -> None:
        self.quotes[record_id] = replace(self.quotes[record_id], submitted_at=at, last_editor=by)

    def decide(self, key: str, approve: bool, by: str, comment: str, conditions: str | None = None) -> None:
        self.decided[key] = Decided(approve, by, comment, conditions)

    def read_quote(self, record_id: str) -> SubmittedQuote:
        self._answer()
        if record_id not in self.quotes:
            raise VendorRefused(f"the CRM has no record {record_id}")
        return self.quotes[record_id]

    def read_answer(self, approval_key: str) -> CrmAnswer | None:
        self._answer()
        approval, decided = self.approvals.get(approval_key), self.decided.get(approval_key)
        if approval is None or decided is None:
            return None
        return CrmAnswer(
            key=approval_key,
            deal_id=str(approval["deal_id"]),
            step=str(approval["step"]),
            fingerprint=str(approval["fingerprint"]),
            approve=decided.approve,
            by=decided.by,
            groups=self.groups.get(decided.by, frozenset()),
            comment=decided.comment,
            conditional=decided.conditions is not None,
            conditions=decided.conditions or "",
        )

    def answers_of(self, deal_id: str) -> list[CrmAnswer]:
        answers = [self.read_answer(key) for key, one in self.approvals.items() if one["deal_id"] == deal_id]
        return [answer for answer in answers if answer is not None]

    def submitted_since(self, since: datetime) -> list[tuple[str, datetime]]:
        self._answer()
        moments = {record_id: submitted.submitted_at for record_id, submitted in self.quotes.items()}
        return [(record_id, moment) for record_id, moment in moments.items() if moment and moment >= since]

    def mirror(self, deal_id: str, fields: Mapping[str, object], approvals: Iterable[Mapping[str, object]]) -> None:
        lost = self._answer()
        self.shown[deal_id] = dict(fields)
        for approval in approvals:
            self.approvals[str(approval["key"])] = {**approval, "deal_id": deal_id}
        if lost:
            raise VendorUnavailable("the answer was lost")

    def _answer(self) -> bool:
        """Raises what was asked for; True when the work is to be done and its answer lost."""
        trouble, self.trouble = self.trouble, None
        if trouble is None or trouble is Trouble.LOST_ANSWER:
            return trouble is Trouble.LOST_ANSWER
        raise VendorUnavailable(f"the CRM is in trouble: {trouble}")
