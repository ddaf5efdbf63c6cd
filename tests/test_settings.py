from __future__ import annotations

from pathlib import Path

import pytest

from coach.errors import InputError
from coach.settings import OPENAI_MODEL, Settings


def read(**environment: str) -> Settings:
    return Settings.from_environment(environment)


def test_our_own_variable_wins_over_the_common_one() -> None:
    assert read(COACH_API_KEY="ours", OPENAI_API_KEY="theirs").api_key == "ours"


def test_a_blank_variable_counts_as_not_set() -> None:
    assert read(OPENAI_API_KEY=" ").api_key is None


def test_the_key_is_not_shown_in_a_repr() -> None:
    assert "secret" not in repr(read(OPENAI_API_KEY="secret"))


def test_a_bad_value_names_its_variable() -> None:
    with pytest.raises(InputError, match="COACH_TIMEOUT"):
        read(COACH_TIMEOUT="soon")


def test_an_option_wins_over_the_environment() -> None:
    assert read(COACH_MODEL="a").with_options(model="b").model == "b"


def test_an_option_not_given_leaves_the_environment() -> None:
    assert read(COACH_MODEL="a").with_options(model=None).model == "a"


def test_a_bad_option_is_named() -> None:
    with pytest.raises(InputError, match="--timeout"):
        read().with_options(timeout=-1)


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "OPENAI_BASE_URL"])
def test_auto_means_an_llm_where_a_key_or_base_url_is_set(variable: str) -> None:
    assert not read(**{variable: "http://localhost:1/v1"}).means_offline(["auto"])


def test_auto_means_offline_where_nothing_is_set() -> None:
    assert read().means_offline(["auto"])


def test_a_named_judge_is_taken_at_its_word() -> None:
    assert not read().means_offline(["offline"])


def test_openai_has_a_model_to_fall_back_on() -> None:
    assert read(OPENAI_API_KEY="k").required_model() == OPENAI_MODEL


def test_an_endpoint_of_ones_own_needs_a_model_named() -> None:
    with pytest.raises(InputError, match="no model is named"):
        read(OPENAI_BASE_URL="http://localhost:1/v1").required_model()


def test_the_cache_folder_comes_from_its_variable(tmp_path: Path) -> None:
    assert read(COACH_CACHE_DIR=str(tmp_path)).cache_dir == tmp_path
