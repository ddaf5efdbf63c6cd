from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from builders import ANSWER, report
from fakes import HashEmbedder, ScriptedJudge

from coach.batch.cluster import ClusterJob, part_of
from coach.batch.outcome import Outcome, graded
from coach.batch.parts_page import reports_in, write_page
from coach.batch.pieces import cut, read_piece
from coach.batch.reading import find_sources
from coach.batch.records import grade_of
from coach.batch.summary import Tally
from coach.batch.writing import open_writer, shape_for
from coach.errors import InputError
from coach.pipeline import Pipeline
from coach.settings import Settings

Format = Literal["jsonl", "parquet"]


def job(folder: Path, out_format: Format, rows: int = 5) -> ClusterJob:
    """Rows in pieces, each with its part."""
    lines = [
        json.dumps({"question_id": "q01", "answer": ANSWER, "id": f"a{n}", "total": "theirs"}) for n in range(rows)
    ]
    (folder / "in.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    found = ClusterJob(
        find_sources([str(folder / "in.jsonl")]), folder, (), Settings(), out_format, piece_bytes=2 * len(lines[0]) + 2
    )
    for piece in cut(found.sources, piece_bytes=found.piece_bytes):
        with part_of(found, piece.number).open("wb") as file:
            writer = open_writer(out_format, file, shape_for(out_format, ["depth"], found.sources))
            for row in read_piece(piece):
                writer.write(Outcome(row, graded(grade_of(report(id=row.id)))))
            writer.close()
    return found


def page(job: ClusterJob) -> Path:
    path = job.out / "report.html"
    pieces = cut(job.sources, piece_bytes=job.piece_bytes)
    write_page(job, path, pieces, Tally().summary(), Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder()))
    return path


@pytest.mark.parametrize("out_format", ["jsonl", "parquet"])
def test_rows_of_all_parts_are_listed_in_the_order_of_the_input(tmp_path: Path, out_format: Format) -> None:
    text = page(job(tmp_path, out_format)).read_text(encoding="utf-8")
    places = [text.index(f'href="report_rows/0/{n + 1}.html"') for n in range(5)]
    assert places == sorted(places)


@pytest.mark.parametrize("out_format", ["jsonl", "parquet"])
def test_the_answer_of_a_row_stands_on_its_page(tmp_path: Path, out_format: Format) -> None:
    page(job(tmp_path, out_format))
    assert "<mark" in (tmp_path / "report_rows" / "0" / "5.html").read_text(encoding="utf-8")


def test_carried_columns_are_no_part_of_a_report(tmp_path: Path) -> None:
    made = job(tmp_path, "jsonl")
    first = next(reports_in(part_of(made, 0)))
    assert first.total == report().total


@pytest.mark.parametrize("id", ["another", "a10"])
def test_an_input_that_changed_meanwhile_gives_no_page(tmp_path: Path, id: str) -> None:
    made = job(tmp_path, "jsonl", rows=2)
    source = tmp_path / "in.jsonl"
    source.write_text(source.read_text(encoding="utf-8").replace("a1", id), encoding="utf-8")
    with pytest.raises(InputError, match="was changed while it was graded"):
        write_page(
            made,
            tmp_path / "report.html",
            cut(made.sources),
            Tally().summary(),
            Pipeline(judge=ScriptedJudge(), embedder=HashEmbedder()),
        )


def test_a_part_that_is_gone_is_told(tmp_path: Path) -> None:
    made = job(tmp_path, "jsonl")
    part_of(made, 1).unlink()
    with pytest.raises(InputError, match=r"part-00001\.jsonl cannot be read"):
        page(made)
