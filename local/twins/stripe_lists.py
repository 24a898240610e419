"""Stripe's lists and searches: newest first, in pages, filtered by what the caller asks."""

import copy
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.twins.server import Json
from local.twins.stripe_params import refuse

DEFAULT_LIMIT = 10
_COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_CLAUSE = re.compile(
    r"""(?:metadata\[(["'])(?P<key>.+?)\1\]|(?P<field>status|currency))\s*:\s*(["'])(?P<value>.*?)\4"""
)


def page(held: dict[str, Json], params: Mapping[str, Any], url: str, keeps: Callable[[Json], bool]) -> Json:
    """One page of what `keeps` and the `created` range let through, after or before the cursor."""
    ids = list(reversed(held))
    for cursor in ("starting_after", "ending_before"):
        if cursor in params and params[cursor] not in held:
            raise refuse(f"No such object: '{params[cursor]}'", "resource_missing", cursor)
    if "ending_before" in params:
        ids = ids[: ids.index(params["ending_before"])]
    elif "starting_after" in params:
        ids = ids[ids.index(params["starting_after"]) + 1 :]
    moments = params.get("created", {}).items()
    rows = [
        row
        for row in map(held.__getitem__, ids)
        if keeps(row) and all(_COMPARE[name](row["created"], moment) for name, moment in moments)
    ]
    limit = params.get("limit", DEFAULT_LIMIT)
    kept = rows[-limit:] if "ending_before" in params else rows[:limit]
    return {"object": "list", "data": kept, "has_more": len(rows) > len(kept), "url": url}


def search(held: dict[str, Json], params: Mapping[str, Any], url: str) -> Json:
    """Clauses joined by AND, as in metadata['k']:'v' AND status:'succeeded'. Source: docs.stripe.com/search."""
    clauses = [_CLAUSE.fullmatch(part.strip()) for part in params["query"].split(" AND ")]
    if not all(clauses):
        raise refuse("We were unable to parse your search query.", None, "query")
    wanted = [clause for clause in clauses if clause]
    rows = [row for row in reversed(held.values()) if all(_matches(row, clause) for clause in wanted)]
    start, limit = int(params.get("page", "0")), params.get("limit", DEFAULT_LIMIT)
    kept, more = rows[start : start + limit], len(rows) > start + limit
    following = str(start + limit) if more else None
    return {"object": "search_result", "data": kept, "has_more": more, "next_page": following, "url": url}


def expanded(answer: Json, paths: Sequence[str], parts: Mapping[str, Callable[[Json], Json | None]]) -> Json:
    """A copy of the answer with the named parts put in; a path under `data.` reaches into a list."""
    answer = copy.deepcopy(answer)
    for path in paths:
        name = path.removeprefix("data.")
        for row in answer["data"] if name != path else [answer]:
            row[name] = copy.deepcopy(parts[name](row))
    return answer


def _matches(row: Json, clause: re.Match[str]) -> bool:
    held = row["metadata"].get(clause["key"]) if clause["key"] else row[clause["field"]]
    return bool(held == clause["value"])
