"""The tree is everybody's: no file knows the machine or the home folder of who wrote it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.architecture.sources import ROOT

MACHINE_PATH = re.compile(rb"(?<![\w.}/-])/(?:home|root|Users|work|tmp/pytest|mnt)/[\w.-]+")
LARGEST_BYTES = 1_000_000


def files() -> list[Path]:
    """What git would take: everything that is not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_no_file_holds_a_path_of_one_machine() -> None:
    found = {path: match.group() for path in files() if (match := MACHINE_PATH.search(path.read_bytes()))}

    assert found == {}


def test_no_file_is_too_large_to_read() -> None:
    assert {path for path in files() if path.stat().st_size > LARGEST_BYTES} == set()
