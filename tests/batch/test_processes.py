"""What the journal promises, with real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from batch import processes

KILLS = 50


def start(*arguments: object) -> str:
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
    command = [sys.executable, processes.__file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": paths})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_killed_at_any_moment_nothing_that_was_kept_is_lost_or_graded_again(tmp_path: Path) -> None:
    rows = 800
    processes.write_rows(tmp_path, rows)
    found = json.loads(start("kill", tmp_path, KILLS, 7))
    assert found["killed"] == KILLS
    assert found["twice"] == []
    assert 0 < found["kept"] < rows

    calls = (tmp_path / "calls").stat().st_size
    processes.grade(processes.make_pipeline(tmp_path), tmp_path)
    new = (tmp_path / "calls").read_text(encoding="utf-8")[calls:].split()
    assert len(new) == len(set(new)) == rows - found["kept"]

    (tmp_path / "alone").mkdir()
    processes.write_rows(tmp_path / "alone", rows)
    processes.grade(processes.make_pipeline(tmp_path / "alone"), tmp_path / "alone")
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "alone" / "out.jsonl").read_bytes()


def test_processes_that_share_a_journal_judge_each_row_once(tmp_path: Path) -> None:
    processes.write_rows(tmp_path, 150)
    start("together", tmp_path, 2)
    asked = Counter((tmp_path / "calls").read_text(encoding="utf-8").split())
    assert sorted(asked, key=int) == [str(n) for n in range(150)]
    assert set(asked.values()) == {1}
    outputs = [(tmp_path / f"out-{n}.jsonl").read_bytes() for n in range(2)]
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"\n") == 150
