"""The one table: which rows there are and what stands in them."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection
from pynamodb.models import Model


class ByUpdate(GlobalSecondaryIndex["Row"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "by_update"
        projection = IncludeProjection(["summary"])

    list_key = UnicodeAttribute(hash_key=True)
    updated_at = UnicodeAttribute(range_key=True)


class ByDue(GlobalSecondaryIndex["Row"]):  # type: ignore[no-untyped-call]
    class Meta:
        index_name = "by_due"
        projection = IncludeProjection(["waits_for"])

    due_key = UnicodeAttribute(hash_key=True)
    due_at = UnicodeAttribute(range_key=True)


class Row(Model):
    """A snapshot (`DEAL#id`/`DEAL`), an event (`DEAL#id`/`EVENT#000017`), a claim (`CLAIM#cause`/`CLAIM`),
    an approval round (`DEAL#id`/`ROUND`), what a deal adds to the figures (`DEAL#id`/`FIGURES`), their sums
    (`FIGURES#2026`/`11#3`, `FIGURES#2026-11`/`25#3`, `FIGURES#2026-11-25`/`14:15#3`), a person (`PERSON#id`/`PERSON`),
    who approves (`APPROVERS`/`DIRECTORY`, `VERSION#000007`, `DELEGATION#id`), a version of a policy
    (`POLICY#id`/`VERSION#000007`), an event of a policy (`POLICY#id`/`EVENT#000009`), a policy in the list
    (`POLICIES`/`LINE#id`), a publication (`POLICIES`/`FROM#when`) or a vendor's token. A row has only the fields of its
    kind.
    """

    class Meta:
        table_name: ClassVar[str] = ""
        max_retry_attempts = 2
        connect_timeout_seconds = 2
        read_timeout_seconds = 5

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    body = UnicodeAttribute(null=True)
    version = NumberAttribute(null=True)

    list_key = UnicodeAttribute(null=True)
    updated_at = UnicodeAttribute(null=True)
    summary = UnicodeAttribute(null=True)
    due_key = UnicodeAttribute(null=True)
    due_at = UnicodeAttribute(null=True)
    waits_for = UnicodeAttribute(null=True)

    deal_id = UnicodeAttribute(null=True)
    payload_hash = UnicodeAttribute(null=True)

    type = UnicodeAttribute(null=True)
    occurred_at = UnicodeAttribute(null=True)
    cause = UnicodeAttribute(null=True)
    actor = UnicodeAttribute(null=True)
    previous_hash = UnicodeAttribute(null=True)
    hash = UnicodeAttribute(null=True)

    by_update = ByUpdate()
    by_due = ByDue()


@cache
def bound_to(table_name: str) -> type[Row]:
    """The row class for one table, with one connection a process; the name is never read from the environment."""

    class BoundRow(Row):
        class Meta(Row.Meta):
            pass

    BoundRow.Meta.table_name = table_name
    return BoundRow
