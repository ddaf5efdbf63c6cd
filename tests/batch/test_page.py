from __future__ import annotations

from pathlib import Path

import pytest
from builders import ANSWER, report
from fakes import HashEmbedder, ScriptedJudge

from coach.batch import page
from coach.batch.outcome import Outcome, graded
from coach.batch.page import Pages, bars
from coach.batch.records import grade_of
from coach.batch.rows import Row
from coach.batch.summary import Tally
from coach.errors import InputError
from coach.pipeline import Pipeline

HOSTILE = "<script>alert(1)</script>\u202e\x1b"


def make(path: Path, *outcomes: Outcome) -> str:
    tally = Tally()
    with Pages(path) as pages:
        for outcome in outcomes:
            pages.add(outcome)
            tally.add(outcome)
        pages.finish(tally.summary(), Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder()))
    return path.read_text(encoding="utf-8")


def outcome(line: int = 1, **content: object) -> Outcome:
    return Outcome(Row(line, {"answer": ANSWER, **content}), graded(grade_of(report())))


def test_every_row_has_a_page_that_is_linked(tmp_path: Path) -> None:
    text = make(tmp_path / "r.html", outcome(1), outcome(2))
    assert text.count("<svg") == 3
    for n in (1, 2):
        assert f'href="r_rows/0/{n}.html"' in text
        assert "<mark" in (tmp_path / "r_rows" / "0" / f"{n}.html").read_text(encoding="utf-8")


def test_nothing_of_a_row_is_markup(tmp_path: Path) -> None:
    text = make(tmp_path / "r.html", outcome(1, id=HOSTILE))
    assert "<script" not in text
    assert "\u202e" not in text
    assert "&lt;script" in text


def test_many_rows_are_listed_on_pages_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LIST_ROWS", 2)
    text = make(tmp_path / "r.html", *(outcome(n) for n in range(1, 6)))
    for part, last in ((0, 2), (1, 4), (2, 5)):
        assert f'<a href="r_rows/{part}/index.html">rows {2 * part + 1} to {last}</a>' in text
    listing = (tmp_path / "r_rows" / "2" / "index.html").read_text(encoding="utf-8")
    assert 'href="5.html"' in listing
    assert 'href="../../r.html"' in listing


def test_a_run_without_rows_has_a_page(tmp_path: Path) -> None:
    assert "0 answers" in make(tmp_path / "r.html")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be made"):
        make(tmp_path / "file" / "r.html")


def test_the_longest_bar_has_length_one() -> None:
    assert [b.share for b in bars([("a", 2), ("b", 4), ("c", 0)])] == [0.5, 1.0, 0.0]
