"""The report of a load run: a table for people, and the same as JSON."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.load.answers import Answers, Route
from tests.load.storm import Storm
from tests.load.watch import Look

LOOKS_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, named like those of `.local/bench.json`."""

    name: str
    value: float
    unit: str

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "unit": self.unit}


@dataclass
class Load:
    """What was sent, how it was answered and what came of it; `faults` are promises that did not hold."""

    figures: list[Figure]
    looks: list[Look]
    answers: Answers
    in_storms: Answers
    storms: list[Storm] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Everything for which the run fails."""
        found = self.faults + [f"{storm.name}: {one}" for storm in self.storms for one in storm.wrong]
        failed = self.answers.failures() + self.in_storms.failures()
        return found + ([f"{failed} answers were a 5xx"] if failed else [])

    def as_json(self) -> dict[str, Any]:
        return {
            "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "arch": platform.machine()},
            "figures": [figure.as_json() for figure in self.figures],
            "routes": [route.as_json() for route in self.answers.routes()],
            "routes_in_storms": [route.as_json() for route in self.in_storms.routes()],
            "queues": [look.as_json() for look in self.looks],
            "storms": [storm.as_json() for storm in self.storms],
            "wrong": self.wrong,
        }


def show(load: Load, console: Console) -> None:
    console.print(_routes("Answers while the deals were under way, in milliseconds", load.answers.routes()))
    console.print(_routes("Answers in storms", load.in_storms.routes()))
    console.print(_queues(load.looks))
    console.print(_storms(load.storms))
    figures = Table("figure", "value", "unit", title="The deals", title_justify="left")
    for figure in load.figures:
        figures.add_row(figure.name, f"{figure.value:,.4g}", figure.unit)
    console.print(figures)
    for wrong in load.wrong:
        console.print(f"[red]{wrong}")
    if not load.wrong:
        console.print("[green]every deal was signed, charged and posted once, and every storm left what it should")


def _routes(title: str, routes: list[Route]) -> Table:
    table = Table("route", "answers", "p50", "p95", "p99", "4xx", "5xx", "none", title=title, title_justify="left")
    for route in routes:
        times = [f"{value:,.0f}" for value in (route.p50, route.p95, route.p99)]
        errors = [str(count or "") for count in (route.refused_4xx, route.failed_5xx, route.unanswered)]
        table.add_row(route.route, f"{route.answers:,}", *times, *errors)
    return table


def _queues(looks: list[Look]) -> Table:
    table = Table("after s", "messages", "oldest s", "deepest queue", title="The queues", title_justify="left")
    for look in looks[:: max(1, -(-len(looks) // LOOKS_SHOWN))]:
        table.add_row(f"{look.at:.0f}", str(look.depth), str(look.oldest_seconds), look.deepest)
    return table


def _storms(storms: list[Storm]) -> Table:
    table = Table("storm", "sent", "s", "rows more", "at most", "", title="Storms", title_justify="left")
    for storm in storms:
        verdict = "[red]NOT as it should be" if storm.wrong else "[green]PASS"
        numbers = (f"{storm.sent:,}", f"{storm.seconds:.0f}", f"{storm.items:,}", f"{storm.most_items:,}")
        table.add_row(storm.name, *numbers, verdict)
    return table
