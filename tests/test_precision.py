"""The encoder's precision: what is chosen, and that bf16 agrees with fp32 and with itself."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from coach import precision
from coach.embed import BATCH_TOKENS, OnnxEmbedder
from coach.errors import InputError
from coach.grading import Coach
from coach.precision import MIN_COSINE, PROBES, STEP, Bf16Embedder, is_fp32, make_encoder, settled
from coach.settings import Settings

TEXTS = [*PROBES, "", "🙂", "a " * 1000, "\ud800 lone", *(f"{'word ' * n}and some more" for n in range(60))]
ANSWER = (Path(__file__).parent.parent / "examples" / "q01-model-first.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bf16(shared_cache: Path) -> Bf16Embedder:
    try:
        made = make_encoder("bf16", shared_cache, many=True)
    except InputError as error:
        pytest.skip(error.message)
    assert isinstance(made, Bf16Embedder)
    return made


def _without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "find_spec", lambda name: None if name == "openvino" else find_spec(name))


def test_bf16_agrees_with_fp32(bf16: Bf16Embedder, shared_cache: Path) -> None:
    exact = make_encoder("fp32", shared_cache, many=True)
    assert np.sum(bf16.encode(TEXTS) * exact.encode(TEXTS), axis=1).min() >= MIN_COSINE


def test_a_bf16_vector_is_the_same_whatever_is_encoded_beside_it(bf16: Bf16Embedder) -> None:
    together = bf16.encode(TEXTS)
    assert all((bf16.encode([text])[0] == row).all() for text, row in zip(TEXTS, together, strict=True))


def test_more_texts_of_one_length_than_a_batch_holds(bf16: Bf16Embedder) -> None:
    vectors = bf16.encode(["some words here"] * (BATCH_TOKENS // STEP + 3))
    assert (vectors == vectors[0]).all()


def test_no_text_gives_no_row(bf16: Bf16Embedder) -> None:
    assert bf16.encode([]).shape == (0, bf16.dimension)


def test_the_precision_is_part_of_the_name() -> None:
    assert Bf16Embedder.name == f"{OnnxEmbedder.name}+bf16"


def test_auto_means_fp32_for_one_answer() -> None:
    assert is_fp32("auto", many=False)


def _with_processor(monkeypatch: pytest.MonkeyPatch, folder: Path, flags: str) -> None:
    told = folder / "cpuinfo"
    told.write_text(f"flags : {flags}\n", encoding="ascii")
    monkeypatch.setattr(precision, "_PROCESSORS", told)


def test_auto_means_bf16_for_batches_where_the_processor_has_amx(
    bf16: Bf16Embedder, shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_processor(monkeypatch, tmp_path, "avx512_bf16 amx_bf16 amx_tile")
    assert make_encoder("auto", shared_cache, many=True).name == bf16.name


def test_auto_means_fp32_where_bf16_would_be_slower(
    shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_processor(monkeypatch, tmp_path, "avx512f avx512_bf16")
    assert settled("auto", shared_cache) == "fp32"


def test_auto_means_fp32_where_the_processor_tells_nothing(
    shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_PROCESSORS", tmp_path / "none")
    assert settled("auto", shared_cache) == "fp32"


def test_auto_does_without_openvino(shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_processor(monkeypatch, tmp_path, "amx_bf16")
    _without_openvino(monkeypatch)
    assert settled("auto", shared_cache) == "fp32"


def test_bf16_asked_for_without_openvino_says_how_to_get_it(
    shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_openvino(monkeypatch)
    with pytest.raises(InputError, match="needs openvino") as raised:
        make_encoder("bf16", shared_cache, many=True)
    assert "coach[fast]" in raised.value.hint


def test_auto_falls_back_where_the_two_do_not_agree(
    bf16: Bf16Embedder, shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_processor(monkeypatch, tmp_path, "amx_bf16")
    monkeypatch.setattr(precision, "MIN_COSINE", 1.1)
    assert make_encoder("auto", shared_cache, many=True).name == OnnxEmbedder.name


def test_bf16_asked_for_is_refused_where_the_two_do_not_agree(
    bf16: Bf16Embedder, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "MIN_COSINE", 1.1)
    with pytest.raises(InputError, match="agree with fp32"):
        make_encoder("bf16", shared_cache, many=True)


def test_a_report_names_the_encoder(shared_cache: Path) -> None:
    coach = Coach(judge="offline", settings=Settings(cache_dir=shared_cache))
    assert coach.grade("q01", ANSWER).fingerprint.encoder == OnnxEmbedder.name
    coach.close()


def test_a_grade_that_a_check_decides_names_no_encoder(shared_cache: Path) -> None:
    coach = Coach(judge="offline", settings=Settings(cache_dir=shared_cache))
    assert coach.grade("q01", "No idea.").fingerprint.encoder == ""
    coach.close()
