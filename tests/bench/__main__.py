"""`python -m tests.bench`: measures the desk, prints a table and writes `.local/bench.json`.

Ends with 1 when a webhook function misses a target.
"""

from __future__ import annotations

import io
import json
import os
import platform
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "core")]  # as pytest's `pythonpath` does

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from local import build  # noqa: E402
from tests.bench import cold, dashboard, latency, memory, policies, reactions, recording, warm  # noqa: E402
from tests.bench.figures import Figure  # noqa: E402

RESULT = ROOT / ".local" / "bench.json"


def main() -> int:
    console = Console(stderr=True)
    template = build.read_template(ROOT / "template.yaml")
    console.print("building the packages")
    packages = cold.packages(template, build.build(template, ROOT, ROOT / ".local" / "build"))
    figures: list[Figure] = []
    console.print("warm functions, on messages recorded from a journey")
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        messages = recording.record(ROOT / ".local" / "bench")
    for message in messages:
        figures += warm.measure(message, packages[message.stem].path)
    console.print("memory over a hundred thousand messages")
    figures += memory.measure(ROOT / ".local" / "bench")
    console.print("the other functions, in a whole journey")
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        figures += reactions.measure(warm.bare_seconds(figures))
    console.print("every function in this process")
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        figures += latency.measure()
    console.print("the dashboard, with ten thousand deals and with a million")
    figures += dashboard.measure()
    console.print("the guardrails")
    figures += policies.measure()
    for package in packages.values():
        console.print(f"cold start of {package.function}")
        figures += cold.measure(package)
    _show(figures)
    _write(figures)
    return int(any(figure.over for figure in figures))


def _show(figures: list[Figure]) -> None:
    table = Table("figure", "value", "unit", "ratio to", "ratio", "target", "")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.value:,.4g}",
            figure.unit,
            figure.baseline or "",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            "" if figure.limit is None else f"≤ {figure.limit:g}",
            "" if figure.limit is None else "[red]over" if figure.over else "[green]PASS",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _write(figures: list[Figure]) -> None:
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "arch": platform.machine()}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps({"machine": machine, "figures": [f.as_json() for f in figures]}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
