import json

from coach.judges.decision import CARD, DATA
from evals import ROOT
from evals.training.tables import render


def test_the_printed_figures_are_those_of_the_card() -> None:
    card = json.loads((DATA / CARD).read_text(encoding="utf-8"))
    assert (ROOT / "evals" / "figures.md").read_text(encoding="utf-8") == render(card)
