"""Record the replies of the small model that the tests run, for `--judge replay`: `make record`.

Starts llama.cpp with SmolLM2-135M-Instruct on loopback, grades the pins that hold whatever a model says, and writes
`evals/replay/smollm2-135m.jsonl` anew. The model judges poorly, at a temperature at which it also invents quotes and
breaks its replies: what the pins state must hold all the same.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from servers.llamacpp import MODEL, llamacpp

from coach import Coach, Settings
from coach.evaluation.pins import Broken, PinFile, grade_pins, load_pin_file
from coach.evaluation.text import broken_lines
from coach.files import write_text
from coach.judges.endpoint import Endpoint
from coach.judges.llm import LLMJudge
from coach.judges.replay import JudgeParameters, RecordingEndpoint
from evals import PINS, RECORDS

PARAMETERS = JudgeParameters(repair_calls=1, max_tokens=300, temperature=0.8)
"""Little room and one repair: each answer takes the model seconds, and cut-off replies are part of what is tested."""
TIMEOUT = 900


def record(pins: PinFile, path: Path) -> tuple[Broken, ...]:
    """Grade the pins with the real model and write its replies down, if all pins hold; those that do not."""
    settings = Settings.from_environment()
    with llamacpp(threads=1) as base_url, tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / path.name
        endpoint = Endpoint(model=MODEL, base_url=base_url, timeout=TIMEOUT, cache_dir=Path(folder))
        judge = LLMJudge(RecordingEndpoint(endpoint, records, PARAMETERS), **PARAMETERS.model_dump())
        checked = grade_pins(pins.pins, Coach(judge=judge, settings=settings), concurrency=1)
        if not checked.broken:
            path.parent.mkdir(exist_ok=True)
            write_text(path, records.read_text(encoding="utf-8"))
    return checked.broken


if __name__ == "__main__":
    start = time.monotonic()
    wrong = record(load_pin_file(PINS).meant_for("replay"), RECORDS)
    for line in broken_lines(wrong):
        print(line)
    print("Nothing written." if wrong else f"Wrote {RECORDS} in {time.monotonic() - start:.0f} s")
    sys.exit(bool(wrong))
