"""Reads the part of SOQL that the desk asks: SELECT, FROM, WHERE with AND, ORDER BY and LIMIT."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from local.twins.server import Refused

ESCAPES = {
    "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\", "_": "_", "%": "%",
}  # fmt: skip
TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<time>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d))?)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<name>[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*)
    | (?P<sign><=|>=|!=|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL,
)
OPERATORS = ("=", "!=", "<", ">", "<=", ">=")
RESERVED = {
    "SELECT",
    "FROM",
    "WHERE",
    "AND",
    "IN",
    "ORDER",
    "BY",
    "LIMIT",
    "ASC",
    "DESC",
    "OR",
    "NOT",
    "NULL",
}

Item = TypeVar("Item")
LiteralKind = Literal["string", "time", "number", "boolean", "null"]


@dataclass(frozen=True, slots=True)
class Value:
    """A literal as written, with the escapes of a string undone."""

    kind: LiteralKind
    text: str


@dataclass(frozen=True, slots=True)
class Condition:
    """`path operator values`; only IN has several values."""

    path: str
    operator: str
    values: tuple[Value, ...]


@dataclass(slots=True)
class Query:
    """A query as written: nothing in it is checked against the schema yet."""

    fields: list[str]
    sobject: str
    conditions: list[Condition] = field(default_factory=list)
    order: list[tuple[str, bool]] = field(default_factory=list)
    limit: int | None = None


def parse_soql(text: str) -> Query:
    """The query in the text; raises `Refused` MALFORMED_QUERY where Salesforce's parser would stop."""
    return _Parser(text).query()


def _malformed(message: str) -> Refused:
    return Refused(400, "MALFORMED_QUERY", message)


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at, text = [], 0, text.strip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _malformed(f"unexpected token: {text[at : at + 20]!r}")
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def _unescape(quoted: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        if match[1] not in ESCAPES:
            raise _malformed(f"Invalid string literal {quoted}. Illegal character sequence '\\{match[1]}'.")
        return ESCAPES[match[1]]

    return re.sub(r"\\(.)", replaced, quoted[1:-1], flags=re.DOTALL)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = [*_tokens(text), ("end", "<EOF>")]

    def query(self) -> Query:
        self._keyword("SELECT")
        fields = self._list(self._name)
        self._keyword("FROM")
        query = Query(fields, self._name())
        if self._accept("WHERE"):
            query.conditions.append(self._condition())
            while self._accept("AND"):
                query.conditions.append(self._condition())
        if self._accept("ORDER"):
            self._keyword("BY")
            query.order = self._list(self._order)
        if self._accept("LIMIT"):
            query.limit = self._whole_number()
        if self._tokens[0][0] != "end":
            raise _malformed(f"unexpected token: {self._tokens[0][1]}")
        return query

    def _condition(self) -> Condition:
        path = self._name()
        if self._accept("IN"):
            self._sign("(")
            values = self._list(self._value)
            self._sign(")")
            return Condition(path, "IN", tuple(values))
        kind, operator = self._next()
        if kind != "sign" or operator not in OPERATORS:
            raise _malformed(f"unexpected token: {operator}")
        return Condition(path, operator, (self._value(),))

    def _order(self) -> tuple[str, bool]:
        path = self._name()
        if self._accept("DESC"):
            return path, True
        self._accept("ASC")
        return path, False

    def _value(self) -> Value:
        kind, text = self._next()
        match kind, text.lower():
            case "string", _:
                return Value("string", _unescape(text))
            case "number", _:
                return Value("number", text)
            case "time", _:
                return Value("time", text)
            case "name", "true" | "false":
                return Value("boolean", text.lower())
            case "name", "null":
                return Value("null", "")
        raise _malformed(f"unexpected token: {text}")

    def _whole_number(self) -> int:
        kind, text = self._next()
        if kind != "number" or not text.isdigit():
            raise _malformed(f"unexpected token: {text}")
        return int(text)

    def _list(self, item: Callable[[], Item]) -> list[Item]:
        items = [item()]
        while self._tokens[0] == ("sign", ","):
            self._tokens.pop(0)
            items.append(item())
        return items

    def _name(self) -> str:
        kind, text = self._next()
        if kind != "name" or text.upper() in RESERVED:
            raise _malformed(f"unexpected token: {text}")
        return text

    def _sign(self, sign: str) -> None:
        if self._next() != ("sign", sign):
            raise _malformed(f"expecting '{sign}'")

    def _keyword(self, word: str) -> None:
        if not self._accept(word):
            raise _malformed(f"expecting {word}, found {self._tokens[0][1]}")

    def _accept(self, word: str) -> bool:
        kind, text = self._tokens[0]
        if kind != "name" or text.upper() != word:
            return False
        self._tokens.pop(0)
        return True

    def _next(self) -> tuple[str, str]:
        return self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]
