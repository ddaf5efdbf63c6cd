from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coach.answer import MAX_ANSWER_CHARS, clean_answer, decode_answer, read_answer_file
from coach.errors import InputError


@pytest.mark.parametrize("typed", ["isn’t", "isnʼt", "isn＇t"])
def test_an_apostrophe_as_phones_type_it_is_the_plain_one(typed: str) -> None:
    assert clean_answer(typed).text == "isn't"


def test_a_quotation_mark_stays_as_it_is() -> None:
    assert clean_answer("‘clicks’ alone").text == "‘clicks’ alone"


def test_plain_text_is_left_alone() -> None:
    assert clean_answer("First, the goal.\n\n- then é") == ("First, the goal.\n\n- then é", ())


def test_line_ends_are_made_alike() -> None:
    assert clean_answer("a\r\nb\rc").text == "a\nb\nc"


@pytest.mark.parametrize(
    ("dirty", "told"),
    [
        ("a\x00b", "1 control character taken"),
        ("a\x1b[31mb", "1 terminal escape sequence taken"),
        ("a\x1b]0;title\x07b", "1 terminal escape sequence taken"),
        ("a\u202eb", "1 bidirectional control taken"),
        ("a\u200bb", "1 invisible character taken"),
        ("a\U000e0041b", "1 invisible character taken"),
    ],
)
def test_what_a_reader_cannot_see_is_taken_out_and_told(dirty: str, told: str) -> None:
    cleaned = clean_answer(dirty)
    assert cleaned.text == "ab"
    assert told in cleaned.warnings[0]


def test_a_broken_character_is_replaced_and_told() -> None:
    assert clean_answer("a\ud800") == ("a\ufffd", ("1 broken character replaced in the answer.",))


@pytest.mark.parametrize("nothing", ["", "  \n\t", "\x00\x01", "\u200b"])
def test_nothing_left_is_an_error(nothing: str) -> None:
    with pytest.raises(InputError, match="empty"):
        clean_answer(nothing)


def test_too_long_is_an_error_that_names_the_limit() -> None:
    with pytest.raises(InputError, match="more than 50,000"):
        clean_answer("a" * (MAX_ANSWER_CHARS + 1))


def test_utf8_with_a_mark_is_read() -> None:
    assert decode_answer("é".encode("utf-8-sig"), source="x") == "é"


def test_utf16_with_a_mark_is_read() -> None:
    assert decode_answer("é".encode("utf-16"), source="x") == "é"


def test_latin1_is_an_error_that_names_the_byte() -> None:
    with pytest.raises(InputError, match=r"a\.txt is not UTF-8: byte 3"):
        decode_answer("café".encode("latin-1"), source="a.txt")


def test_binary_is_called_binary() -> None:
    with pytest.raises(InputError, match="looks binary"):
        decode_answer(b"\x89PNG\x00\x00\xff", source="a.png")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_answer_file(tmp_path / "none.md")


def test_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_answer_file(tmp_path)


@given(st.text(max_size=200))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    try:
        once = clean_answer(text).text
    except InputError:
        return
    assert clean_answer(once).text == once
