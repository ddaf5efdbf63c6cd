from coach.judges.budget import booked
from coach.models import Usage
from coach.pricing import Price

PRICE = Price(prompt=1.0, cached=0.5, completion=2.0, batch=0.5)


def test_a_call_counts_as_what_its_tokens_cost() -> None:
    assert booked(Usage(calls=1, prompt_tokens=1_000_000, completion_tokens=1_000_000), PRICE, 9.0) == 3.0


def test_a_call_whose_tokens_are_estimated_counts_as_the_worst() -> None:
    usage = Usage(calls=1, prompt_tokens=10, completion_tokens=10, estimated_calls=1)
    assert booked(usage, PRICE, 9.0) == 9.0


def test_a_call_whose_tokens_nobody_counted_counts_as_the_worst() -> None:
    assert booked(Usage(calls=1), PRICE, 9.0) == 9.0


def test_a_call_that_was_not_paid_for_counts_nothing() -> None:
    assert booked(None, PRICE, 9.0) == 0.0
