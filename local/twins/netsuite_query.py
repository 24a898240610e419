"""Reads the part of SuiteQL that a ledger needs: columns, equality, IN, LIKE, AND, OR and brackets."""

import re
from collections.abc import Callable, Mapping, Sequence

from local.twins.server import Json, Refused

COLUMNS = {
    "customer": ("id", "entityid", "companyname", "externalid", "isinactive"),
    "item": ("id", "itemid", "externalid", "isinactive"),
    "currency": ("id", "symbol", "name"),
    "transaction": ("id", "type", "tranid", "externalid", "memo", "trandate", "entity", "currency"),
}
SELECT = re.compile(
    r"\s*select\s+(?P<columns>[\w\s,]+?)\s+from\s+(?P<table>\w+)(?:\s+where\s+(?P<where>.+))?", re.I | re.S
)
TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>\w+)|(?P<sign>[=(),]))", re.S)

Test = Callable[[Json], bool]


def answer_suiteql(text: str, tables: Mapping[str, Sequence[Json]]) -> list[Json]:
    """The rows, every value a string as NetSuite gives them; `Refused` 400 for what SuiteQL would not read."""
    match = SELECT.fullmatch(text)
    table = match["table"].lower() if match else ""
    if match is None or table not in COLUMNS:
        raise _unreadable(f"Invalid or unsupported search: {text}")
    columns = [_known(table, name.strip()) for name in match["columns"].split(",")]
    wanted = _Reader(table, match["where"]).whole() if match["where"] else _anything
    rows = [row for row in tables[table] if wanted(row)]
    return [{name: str(row[name]) for name in columns if row.get(name) is not None} for row in rows]


def _anything(_: Json) -> bool:
    return True


class _Reader:
    """Recursive descent over the condition."""

    def __init__(self, table: str, where: str) -> None:
        self._table, self._tokens, at = table, list[str](), 0
        where = where.rstrip()
        while at < len(where):
            match = TOKEN.match(where, at)
            if match is None:
                raise _unreadable(f"unexpected text at {where[at:][:40]!r}")
            self._tokens.append(match.group().strip())
            at = match.end()

    def whole(self) -> Test:
        test = self._either()
        if self._tokens:
            raise _unreadable(f"unexpected {self._tokens[0]}")
        return test

    def _either(self) -> Test:
        tests = [self._both()]
        while self._next_is("or"):
            tests.append(self._both())
        return lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._next_is("and"):
            tests.append(self._one())
        return lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._next_is("("):
            test = self._either()
            self._take(")")
            return test
        column = _known(self._table, self._take())
        if self._next_is("="):
            wanted = self._text()
            return lambda row: row.get(column) is not None and str(row[column]) == wanted
        if self._next_is("like"):
            pattern = re.escape(self._text()).replace("%", ".*").replace("_", ".")
            return lambda row: re.fullmatch(pattern, str(row.get(column, "")), re.S) is not None
        self._take("in")
        self._take("(")
        texts = [self._text()]
        while self._next_is(","):
            texts.append(self._text())
        self._take(")")
        return lambda row: str(row.get(column)) in texts

    def _next_is(self, word: str) -> bool:
        if self._tokens and self._tokens[0].lower() == word:
            self._tokens.pop(0)
            return True
        return False

    def _take(self, expected: str | None = None) -> str:
        if not self._tokens or (expected and self._tokens[0].lower() != expected):
            raise _unreadable(f"expected {expected or 'a field'}")
        return self._tokens.pop(0)

    def _text(self) -> str:
        token = self._take()
        if not token.startswith("'"):
            raise _unreadable(f"expected a string, not {token}")
        return token[1:-1].replace("''", "'")


def _known(table: str, column: str) -> str:
    if column.lower() not in COLUMNS[table]:
        raise _unreadable(f"Field '{column}' for record '{table}' was not found")
    return column.lower()


def _unreadable(why: str) -> Refused:
    return Refused(400, "INVALID_PARAMETER", f"Invalid search query. Detailed unprocessed description follows. {why}.")
