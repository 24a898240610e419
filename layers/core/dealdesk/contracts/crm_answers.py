"""The answers that an approver can pick in the CRM, by the words of the field; everything else is a no."""

from __future__ import annotations

WITH_CONDITIONS = "Approve with conditions"
YES = frozenset({"Approve", WITH_CONDITIONS})
