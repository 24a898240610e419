"""Shows people what the running system holds: deals, one deal's timeline, what a twin saw."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.table import Column, Table

from local.stack import Answer, Stack, StackFailed

OPERATOR, OPERATOR_ROLE = "operator", "admin"
DEAL_COLUMNS = ("deal_id", "name", "stage", "outcome", "total_minor", "currency", "updated_at")
TWIN_COLUMNS = {
    "requests": ("at", "method", "path", "status"),
    "deliveries": ("at", "url", "status", "attempt", "accepted"),
}
EVENT_COLUMNS = ("sequence", "occurred_at", "type", "actor", "cause")


def show_deals(stack: Stack, *, as_json: bool) -> None:
    """All deals that the operator may see, page by page."""
    deals: list[Mapping[str, Any]] = []
    cursor = ""
    while True:
        page = _ask(stack, f"/deals?cursor={quote(cursor)}" if cursor else "/deals")
        deals += page["deals"]
        cursor = page.get("next_cursor") or ""
        if not cursor:
            break
    _show(deals, DEAL_COLUMNS, as_json=as_json)


def show_timeline(stack: Stack, deal_id: str, *, as_json: bool) -> None:
    """What happened to a deal, first things first."""
    timeline = _ask(stack, f"/deals/{deal_id}/timeline")
    if as_json:
        print(json.dumps(timeline, indent=2, ensure_ascii=False))
        return
    _show(timeline["events"], EVENT_COLUMNS, as_json=False)


def show_twin(stack: Stack, name: str, what: str, *, as_json: bool) -> None:
    """The requests that a twin got, the webhooks that it sent, or what it holds."""
    if name not in stack.twins:
        raise StackFailed(f"there is no twin {name}; there are {', '.join(sorted(stack.twins))}")
    answer = stack.twin(name, what)
    columns = TWIN_COLUMNS.get(what)
    if columns is None or as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    _show(answer, columns, as_json=False)


def _ask(stack: Stack, path: str) -> Any:
    answer: Answer = stack.request("GET", path, token=stack.token(OPERATOR, OPERATOR_ROLE))
    if answer.status != 200:
        raise StackFailed(f"GET {path} answered {answer.status}: {answer.body.decode(errors='replace')}")
    return answer.json()


def _show(rows: Iterable[Mapping[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(list(rows), indent=2, ensure_ascii=False))
        return
    table = Table(*(Column(name, no_wrap=True) for name in columns))
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    Console(emoji=False, width=None if sys.stdout.isatty() else 180).print(table)
