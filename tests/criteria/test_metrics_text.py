import numpy as np

from pql_model.criteria.definition_metrics import Outcomes, evaluate_definition
from pql_model.criteria.metrics_text import later_text, tested_text


def metrics(qualified, caught, rows, everyone):
    met, converted = np.arange(rows) < qualified, np.arange(rows) < caught
    converted |= np.arange(rows) >= rows - (everyone - caught)
    return evaluate_definition(met, Outcomes(np.arange(rows), np.zeros(rows, int), np.zeros(rows, int), converted))


def tested(*counts):
    return tested_text(metrics(*counts), "accounts", "30 days")


def test_the_figures_of_a_definition_make_a_sentence():
    assert tested(200, 60, 1000, 100) == (
        "200 of 1,000 accounts meet it; about 30 of 100 (95 % interval 24 to 37) of them converted within 30 days, against 10 of "
        "100 overall (3.0 times); it catches 60% of the conversions."
    )
    assert tested(400, 42, 1000, 100) == (
        "400 of 1,000 accounts meet it; about 10 of 100 (95 % interval 8 to 14) of them converted within 30 days, not "
        "distinguishable from 10 of 100 overall; it catches 42% of the conversions."
    )
    assert (
        "about 4 of 1,000 (95 % interval 2 to 7) of them converted within 30 days, against 2 of 1,000 overall"
        in tested(3000, 12, 9000, 15)
    )


def test_nobody_everybody_and_too_few_have_sentences_of_their_own():
    assert tested(0, 0, 1000, 100) == "Nobody meets it: 0 of 1,000 accounts."
    assert tested(1000, 100, 1000, 100) == (
        "Everybody meets it, so it separates nobody: of the 1,000 accounts, about 10 of 100 (95 % interval 8 to 12) converted within 30 days."
    )
    assert tested(29, 20, 1000, 100) == (
        "Too few to judge: 29 of 1,000 accounts meet it and 20 of them converted within 30 days. "
        "At least 30 accounts and 5 conversions are needed."
    )


def test_the_later_figures_are_the_ones_to_rely_on():
    assert later_text(metrics(200, 60, 1000, 100), "2026-01-05") == (
        "If the rule was found on these data, rely on the later figures (from 2026-01-05 on): about 30 of 100 (95 % interval 24 to 37), "
        "against 10 of 100 overall (3.0 times)."
    )
    assert later_text(metrics(29, 20, 1000, 100), "2026-01-05").endswith("too few to judge, 29 of 1,000 meet it.")
