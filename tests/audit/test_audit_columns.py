import numpy as np
import pandas as pd
import pytest

from pql_model.audit.columns import AuditRows, filled_by_outcome, judge_feature, judge_trait, judge_unused
from pql_model.model.columns import ModelColumn
from pql_model.time import DAY, SECOND, parse_instant

N = 2000
AS_OF = parse_instant("2026-03-01")


def outcomes(conversions=200):
    return np.random.default_rng(1).permutation(np.arange(N) < conversions)


def shares(y, of_converters, of_others, seed=2):
    return np.random.default_rng(seed).random(N) < np.where(y, of_converters, of_others)


def rows(values, y, tried=20, allowed=(), **columns):
    table = pd.DataFrame({"entity": np.arange(N).astype(str), "trait.x": values, **columns})
    return AuditRows(table, y, None, np.arange(N, dtype=float), tried, allowed)


def of_category(values, y, name="x"):
    named = rows(values, y)
    named.table[f"trait.{name}"] = values
    texts = tuple(sorted(pd.Series(values).dropna().unique()))
    return judge_trait(ModelColumn(f"trait.{name}", "category", texts), named)


def of_number(values, y, **columns):
    return judge_trait(ModelColumn("trait.x", "number"), rows(values, y, **columns))


class TestCategories:
    def test_two_categories_with_extreme_odds_ratios_are_guilty(self):
        # 30 % of the converters are judged high, 30 % of the others low: the AUC alone says little
        y = outcomes(600)
        words = np.where(shares(y, 0.3, 0.005), "high", np.where(shares(y, 0.005, 0.3, 3), "low", "unknown"))
        found = of_category(words, y)
        assert found.kind == "pure_categories"
        assert found.reason.startswith("96% of `high` converted and 0.")
        assert found.auc < 0.8

    def test_a_category_of_which_nine_in_ten_convert_is_honest(self):
        y = outcomes(770)
        job = np.where(shares(y, 0.18, 0.01), "professional", np.where(shares(y, 0.1, 0.4, 3), "unknown", "unemployed"))
        assert of_category(job, y) is None

    def test_a_category_in_which_nobody_converts_is_honest_where_no_other_is_pure(self):
        y = outcomes(200)
        country = np.where(y, "US", np.random.default_rng(4).choice(["US", "MM"], N))
        assert of_category(country, y) is None


class TestNumbers:
    def test_a_strong_honest_number_is_spared(self):
        y = outcomes()
        assert of_number(np.random.default_rng(5).normal(0, 1, N) + 0.95 * y, y) is None  # 0.75

    def test_a_number_that_separates_is_guilty_in_either_direction(self):
        y = outcomes()
        for sign in (1, -1):
            found = of_number(sign * (np.random.default_rng(5).normal(0, 1, N) + 2.5 * y), y)
            assert (found.kind, found.action) == ("separates_too_well", "quarantined")

    def test_a_borderline_trait_is_kept_and_named(self):
        y = outcomes(600)
        found = of_number(np.random.default_rng(5).normal(0, 1, N) + 1.2 * y, y)  # 0.80
        assert (found.kind, found.action) == ("suspicious", "kept")
        assert 0.78 < found.auc < 0.83

    def test_an_identifier_is_judged_by_its_order(self):
        y = np.arange(N) < 200
        found = of_number(np.arange(N) + 1000.0, y)
        assert (found.kind, found.auc) == ("identifier", 1.0)

    def test_an_empty_column_is_not_a_leak(self):
        assert of_number(np.full(N, np.nan), outcomes()) is None


class TestGaps:
    def test_filled_for_converters(self):
        y = outcomes(60)
        kind, reason, auc = filled_by_outcome(shares(y, 0.6, 0.01), y, 20)
        assert kind == "filled_for_converters"
        assert reason.startswith("filled for 72% of those who converted and 1.1% of the others")
        assert 0.7 < auc < 0.9

    def test_missing_for_converters(self):
        y = outcomes(60)
        assert filled_by_outcome(shares(y, 0.2, 0.97), y, 20)[0] == "missing_for_converters"

    @pytest.mark.parametrize(("of_converters", "of_others"), [(0.15, 0.025), (0.96, 0.77), (0.8, 0.4), (0.5, 0.08)])
    def test_honest_missing_values_are_spared(self, of_converters, of_others):
        y = outcomes(300)
        assert filled_by_outcome(shares(y, of_converters, of_others), y, 20) is None

    def test_three_conversions_prove_little(self):
        y = outcomes(3)
        assert filled_by_outcome(y | shares(y, 0, 0.1), y, 20) is None
        assert filled_by_outcome(y.copy(), y, 20) is not None  # but this is chance once in a thousand million


class TestNames:
    def test_a_name_alone_is_a_reason_to_ask(self):
        y = outcomes()
        weak, none = (np.where(shares(y, share, 0.3), "warm", "cold") for share in (0.55, 0.3))
        found = of_category(weak, y, "lead_temperature")
        assert (found.kind, found.action) == ("suspicious", "kept")
        assert "`lead temperature` in its name" in found.reason
        assert of_category(none, y, "lead_temperature") is None
        assert of_category(weak, y, "temperature") is None

    def test_a_name_beside_evidence_is_guilty(self):
        y = outcomes(600)
        touched = np.where(shares(y, 0.85, 0.3), "sales", "none")
        found = of_category(touched, y, "last_touch")
        assert (found.kind, found.action) == ("name_says_later", "quarantined")
        assert "more than honest traits of such a name" in found.reason
        assert of_category(touched, y, "first_touch") is None

    def test_an_honest_rank_with_a_roc_auc_of_two_thirds_is_spared(self):
        rng = np.random.default_rng(5)
        y = outcomes(200)
        rank = np.round(np.exp(13 - 0.62 * y + rng.normal(0, 1, N)))
        judged = AuditRows(pd.DataFrame({"trait.website_rank": rank}), y, None, np.arange(N, dtype=float), 30, ())
        found = judge_trait(ModelColumn("trait.website_rank", "number"), judged)
        assert (found.kind, found.action) == ("suspicious", "kept")
        assert 0.62 < found.auc < 0.72


class TestDates:
    WHY = "a date or time, undated itself: it may know the future"

    def unused(self, values, as_of=None):
        y = outcomes()
        columns = {} if as_of is None else {"as_of": as_of}
        return judge_unused("x", self.WHY, rows(values, y, **columns))

    def test_a_date_after_as_of_reports_the_share_of_entities(self):
        late = np.where(np.arange(N) % 4 == 0, "2026-03-02", "2026-02-27")
        found = self.unused(late, AS_OF)
        assert (found.kind, found.action) == ("later_than_as_of", "quarantined")
        assert "a date or time after as_of for 25% of the entities that have it" in found.reason

    def test_timestamps_with_missing_values_are_read(self):
        late = pd.Series(pd.to_datetime(["2026-03-02", None] * (N // 2), utc=True))
        assert "for 100% of the entities that have it" in self.unused(late, AS_OF).reason

    def test_a_date_before_as_of_is_undated(self):
        assert self.unused(np.full(N, "2026-02-28"), AS_OF).kind == "undated_time"
        assert self.unused(np.full(N, "2026-02-28")).reason == self.WHY

    def test_a_date_that_could_be_read_in_two_ways_is_not_read(self):
        assert self.unused(np.full(N, "03/02/2027"), AS_OF).kind == "undated_time"

    @pytest.mark.parametrize("unit", [1, 1000])
    def test_an_epoch_is_a_date_too(self, unit):
        epoch = (AS_OF // SECOND + np.where(np.arange(N) % 2, 1, -1) * DAY // SECOND) * unit
        found = of_number(epoch.astype(float), outcomes(), as_of=AS_OF)
        assert (found.kind, "50%" in found.reason) == ("later_than_as_of", True)

    def test_an_epoch_that_is_never_later_is_undated(self):
        epoch = AS_OF / SECOND - np.random.default_rng(6).integers(0, 10**7, N)
        assert of_number(epoch, outcomes(), as_of=AS_OF).kind == "undated_time"

    def test_revenues_are_not_epochs(self):
        revenue = np.random.default_rng(7).lognormal(18, 2, N)
        assert of_number(revenue, outcomes(), as_of=AS_OF) is None


class TestUnused:
    def test_an_unused_identifier_is_named_if_it_predicts(self):
        y = np.arange(N) < 200
        found = judge_unused("x", "its name suggests an identifier", rows(np.arange(N), y))
        assert (found.kind, found.action, found.auc) == ("identifier", "quarantined", 1.0)

    def test_an_unused_identifier_that_does_not_predict_is_not_named(self):
        assert judge_unused("x", "its name suggests an identifier", rows(np.arange(N), outcomes())) is None

    def test_a_key_with_few_rows_each_that_predicts_is_named(self):
        y = outcomes()
        key = np.where(y, np.arange(N) // 10, N + np.arange(N) // 4)
        found = judge_unused("x", "an identifier or free text", rows([f"k{k}" for k in key], y))
        assert found.kind in ("separates_too_well", "identifier")

    def test_a_constant_has_no_finding(self):
        assert judge_unused("x", "constant", rows(np.full(N, "a"), outcomes())) is None


def test_a_behaviour_may_predict_better_than_a_trait():
    y = outcomes(300)
    name = "login.count.ever"
    for shift, guilty in ((1.6, False), (3.5, True)):  # 0.87, 0.99
        table = rows(np.zeros(N), y, **{name: np.random.default_rng(8).normal(0, 1, N) + shift * y})
        found = judge_feature(ModelColumn(name, "feature"), table, y)
        assert (found is not None) == guilty
