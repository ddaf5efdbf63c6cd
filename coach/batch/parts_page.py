"""The HTML report of a run on a cluster, made of its parts when they are all there; a row at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from coach.batch.cluster import ClusterJob, part_of
from coach.batch.page import Pages, answer_in
from coach.batch.parquet_rows import open_parquet
from coach.batch.pieces import Piece, read_piece
from coach.batch.reading import readable
from coach.batch.rows import encodable
from coach.batch.summary import Summary
from coach.errors import InputError
from coach.pipeline import Pipeline
from coach.report import FeedbackReport

_BATCH_ROWS = 256
"""Of Parquet, read at once."""
_FIELDS = frozenset(FeedbackReport.model_fields)


def write_page(job: ClusterJob, path: Path, pieces: Sequence[Piece], summary: Summary, pipeline: Pipeline) -> None:
    """Write the page of the run and one for every row.

    Args:
        job: what was graded.
        path: of the page of the run.
        pieces: of the input, as they were graded.
        summary: of the run.
        pipeline: for titles.

    Raises:
        InputError: a page cannot be written; an input or a part cannot be read, or was changed meanwhile.
    """
    with Pages(path) as pages:
        for piece in pieces:
            part = part_of(job, piece.number)
            reports = reports_in(part)
            for row in read_piece(piece):
                report = next(reports, None)
                if report is None or report.id != encodable(row.id):
                    raise _changed(piece, part)
                pages.add_report(report, answer_in(row))
            if next(reports, None) is not None:
                raise _changed(piece, part)
        pages.finish(summary, pipeline)


def reports_in(part: Path) -> Iterator[FeedbackReport]:
    """The reports of a part, without carried columns.

    Raises:
        InputError: it cannot be read.
    """
    with readable(str(part)):
        for line in _lines(part):
            fields = {k: v for k, v in json.loads(line).items() if k in _FIELDS}
            yield FeedbackReport.model_validate(fields | {"id": encodable(fields["id"])})


def _lines(part: Path) -> Iterator[str | bytes]:
    if part.suffix == ".parquet":
        with open_parquet(part) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=["report"]):
                yield from batch.column(0).to_pylist()
        return
    with part.open("rb") as lines:
        yield from lines


def _changed(piece: Piece, part: Path) -> InputError:
    return InputError(
        f"no report page: {piece.path} was changed while it was graded, and {part} is of other rows",
        hint="Run the same command again; what is done costs nothing.",
    )
