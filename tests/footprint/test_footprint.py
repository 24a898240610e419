"""`make footprint` sees the memory of whole families and says when it is too much."""

from __future__ import annotations

import os
import sys

import pytest

from tests.footprint import measure as measuring
from tests.footprint.__main__ import main
from tests.footprint.measure import measure

TAKES = "import sys, time; held = bytearray(int(sys.argv[1]) * 10**6); time.sleep(1.5)"
CHILD = f"{sys.executable} -c '{TAKES}' 100"
PARENT = f"""{sys.executable} -c 'import subprocess, sys; subprocess.run(sys.argv[1:])' {CHILD}"""


def test_the_memory_of_a_child_counts() -> None:
    assert 100 < measure(PARENT).megabytes < 200


def test_a_command_that_takes_too_much_or_fails_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "MOST_MEGABYTES", 50)
    monkeypatch.setattr(sys, "argv", ["footprint", CHILD, f"{sys.executable} -c 'raise SystemExit(3)'"])

    assert main() == 1

    error = capsys.readouterr().err
    assert "MB, over 50" in error
    assert "ended with 3" in error


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux keeps a process to some cores")
def test_a_command_has_two_cores_and_we_keep_ours() -> None:
    ours = os.sched_getaffinity(0)
    counts = "import os; raise SystemExit(len(os.sched_getaffinity(0)))"

    assert measure(f"{sys.executable} -c '{counts}'").exit_code == min(2, len(ours))
    assert os.sched_getaffinity(0) == ours


def test_a_command_within_its_means_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["footprint", CHILD])

    assert main() == 0
