"""The test period is later than every training label, and no fold learns from what it is checked on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from pql_model.errors import NotEnoughDataError, TooFewConversionsError
from pql_model.model.split import (
    GROUP_FOLDS,
    MIN_CHECK_CONVERSIONS,
    MIN_FIT_CONVERSIONS,
    describe,
    out_of_time,
    tuning_folds,
)
from pql_model.time import DAY, Duration

START = 20_000 * DAY
HORIZON = Duration.parse("14d")
LANDMARKS = (3, 7, 14)
FEW = examples(40)
motions = st.sampled_from(("trial", "freemium"))


def snapshots(motion, entities, days, rate, seed):
    """Trial: three landmarks an entity. Freemium: some weeks an entity, so that one spans the whole history."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(entities):
        signed_up = START + int(rng.integers(0, days * DAY))
        weeks = rng.choice(max(2, days // 7), size=min(4, max(2, days // 7)), replace=False)
        trial = [signed_up + day * DAY for day in LANDMARKS]
        as_ofs = trial if motion == "trial" else [(START // (7 * DAY) + int(week)) * 7 * DAY for week in sorted(weeks)]
        rows += [(f"e{number:03}", as_of, signed_up, bool(rng.random() < rate)) for as_of in as_ofs]
    frame = pd.DataFrame(rows, columns=["entity", "as_of", "signed_up", "converted"])
    if motion == "freemium":
        frame["signed_up"] = pd.array([None] * len(frame), dtype="Int64")
    return frame


@st.composite
def frames(draw, motion):
    return snapshots(
        motion,
        entities=draw(st.integers(4, 150)),
        days=draw(st.sampled_from((10, 40, 120, 365))),
        rate=draw(st.sampled_from((0.03, 0.1, 0.3, 0.7, 0.97))),
        seed=draw(st.integers(0, 10_000)),
    )


def split_or_none(frame, motion):
    try:
        return out_of_time(frame, HORIZON, motion)
    except NotEnoughDataError:
        return None


# ---------------------------------------------------------------- training and test


@given(st.data(), motions)
@FEW
def test_every_training_label_is_final_before_the_test_period_begins(data, motion):
    frame = data.draw(frames(motion))
    split = split_or_none(frame, motion)
    if split is None:
        return

    assert frame["as_of"][split.train].max() + HORIZON.us <= split.test_start <= frame["as_of"][split.test].min()
    assert not (split.train & split.test).any()
    assert split.left_out == {"gap": len(frame) - split.train.sum() - split.test.sum()}


@given(st.data(), motions)
@FEW
def test_both_parts_contain_both_classes(data, motion):
    frame = data.draw(frames(motion))
    split = split_or_none(frame, motion)
    if split is None:
        return

    for part in (split.train, split.test):
        assert set(frame["converted"][part]) == {True, False}


@given(st.data())
@FEW
def test_in_a_trial_the_two_parts_have_different_entities(data):
    frame = data.draw(frames("trial"))
    split = split_or_none(frame, "trial")
    if split is None:
        return

    assert not set(frame["entity"][split.train]) & set(frame["entity"][split.test])
    assert (frame["signed_up"][split.test] >= split.test_start).all()


@given(st.data(), motions)
@FEW
def test_neither_the_order_nor_the_index_of_the_rows_matters(data, motion):
    frame = data.draw(frames(motion))
    order = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(len(frame))
    shuffled = frame.iloc[order]
    alike = frame.set_axis(np.zeros(len(frame), int))
    split, other, same = (split_or_none(f, motion) for f in (frame, shuffled, alike))
    if split is None:
        assert other is None
        assert same is None
        return

    assert split.test_start == other.test_start == same.test_start
    assert (split.train[order] == other.train).all()
    assert (split.test[order] == other.test).all()
    assert (split.train == same.train).all()


def test_an_ordinary_trial_is_cut_where_the_last_third_signed_up():
    frame = snapshots("trial", entities=300, days=300, rate=0.3, seed=1)

    split = out_of_time(frame, HORIZON, "trial")

    assert split.test_start == np.quantile(frame["signed_up"], 0.65, method="nearest")
    assert describe(frame, split.test)["entities"] == 106  # of 300: the cut is one of them


def test_few_conversions_before_the_cut_move_it_later():
    days = np.repeat(np.arange(100), 2)
    frame = pd.DataFrame({"entity": [f"e{n}" for n in range(200)], "as_of": START + days * DAY, "signed_up": None})
    frame["converted"] = (frame.index % 2 == 0) & (days >= 50)

    split = out_of_time(frame, Duration.parse("1d"), "freemium")

    assert split.test_start == START + 74 * DAY
    assert (frame["converted"][split.train].sum(), frame["converted"][split.test].sum()) == (24, 26)


# ---------------------------------------------------------------- folds


def folds_or_none(frame, motion, seed=7):
    try:
        return tuning_folds(frame, HORIZON, motion, seed)
    except NotEnoughDataError:
        return None


@given(st.data(), motions)
@FEW
def test_every_fold_learns_and_checks_both_classes_on_different_rows(data, motion):
    frame = data.draw(frames(motion))
    made = folds_or_none(frame, motion)
    if made is None:
        return

    converted = frame["converted"].to_numpy()
    assert made.kind in ("expanding", "grouped")
    assert made.folds
    for fold in made.folds:
        assert not set(fold.fit) & set(fold.check)
        assert set(converted[fold.fit]) == set(converted[fold.check]) == {True, False}


@pytest.mark.parametrize("motion", ["trial", "freemium"])
@pytest.mark.parametrize("seed", range(4))
def test_an_expanding_fold_checks_rows_after_its_labels_were_final(motion, seed):
    frame = snapshots(motion, entities=300, days=300, rate=0.3, seed=seed).sample(frac=1, random_state=seed)
    made = tuning_folds(frame, HORIZON, motion, seed=7)

    assert made.kind == "expanding"
    assert len(made.folds) == 4
    as_of, entity = frame["as_of"].to_numpy(), frame["entity"].to_numpy()
    converted = frame["converted"].to_numpy()
    for fold in made.folds:
        assert as_of[fold.fit].max() + HORIZON.us <= as_of[fold.check].min()
        assert converted[fold.fit].sum() >= MIN_FIT_CONVERSIONS
        assert converted[fold.check].sum() >= MIN_CHECK_CONVERSIONS
        if motion == "trial":
            assert not set(entity[fold.fit]) & set(entity[fold.check])
    for earlier, later in zip(made.folds, made.folds[1:], strict=False):
        assert set(earlier.fit) < set(later.fit)
        assert as_of[earlier.check].min() <= as_of[later.check].min()


@pytest.mark.parametrize("motion", ["trial", "freemium"])
def test_no_row_is_checked_twice(motion):
    frame = snapshots(motion, entities=300, days=300, rate=0.3, seed=3)

    checked = np.concatenate([fold.check for fold in tuning_folds(frame, HORIZON, motion, seed=7).folds])

    assert len(checked) == len(set(checked))


@given(st.data(), motions)
@FEW
def test_grouped_folds_share_no_entity_and_check_nobody_twice(data, motion):
    frame = snapshots(motion, data.draw(st.integers(6, 40)), 30, 0.3, data.draw(st.integers(0, 999)))
    made = folds_or_none(frame, motion)
    if made is None or made.kind == "expanding":
        return

    entity = frame["entity"].to_numpy()
    for fold in made.folds:
        assert not set(entity[fold.fit]) & set(entity[fold.check])
        assert len(fold.fit) + len(fold.check) == len(frame)
    checked = np.concatenate([fold.check for fold in made.folds])
    assert len(checked) == len(set(checked))


@pytest.mark.parametrize("motion", ["trial", "freemium"])
def test_too_short_a_history_is_folded_by_entity_each_fold_with_its_share_of_converters(motion):
    frame = snapshots(motion, entities=60, days=10, rate=0.3, seed=5)
    made = tuning_folds(frame, Duration.parse("90d"), motion, seed=7)

    converters = frame.groupby("entity")["converted"].any()
    assert made.kind == "grouped"
    assert len(made.folds) == GROUP_FOLDS
    for fold in made.folds:
        theirs = converters[frame["entity"].iloc[fold.check].unique()].sum()
        assert theirs in (converters.sum() // GROUP_FOLDS, converters.sum() // GROUP_FOLDS + 1)


def test_an_unusable_fold_is_reported_with_its_reason():
    days = np.arange(200)
    made = tuning_folds(plain(days % 4 == 0, days), Duration.parse("40d"), "trial", seed=7)

    payload = (
        "from 2024-12-11: 8 conversions in 29 rows to learn from, 7 in 28 to check on; 10 and 5 are needed, "
        "and rows without one"
    )
    assert made.kind == "expanding"
    assert made.to_dict() == {"kind": "expanding", "used": 3, "left_out": [payload]}


def test_folds_by_entity_report_why_folds_in_time_failed_and_which_have_one_class():
    made = tuning_folds(plain(np.arange(20) < 3, range(20)), HORIZON, "trial", seed=7)

    assert (made.kind, len(made.folds)) == ("grouped", 3)
    assert len(made.left_out) == 5
    assert "0 conversions in 0 rows to learn from" in made.left_out[0]
    assert made.left_out[-1] == "2 of 5 folds by entity: one class only"


@pytest.mark.parametrize("days", [10, 300], ids=["grouped", "expanding"])
@pytest.mark.parametrize("motion", ["trial", "freemium"])
def test_folds_do_not_depend_on_the_order_or_index_of_the_rows(motion, days):
    frame = snapshots(motion, entities=120, days=days, rate=0.3, seed=2)
    shuffled = frame.sample(frac=1, random_state=1).set_axis(np.zeros(len(frame), int))

    def rows(source):
        keys = list(zip(source["entity"], source["as_of"], strict=True))
        made = tuning_folds(source, HORIZON, motion, seed=7)
        return made.kind, [({keys[i] for i in f.fit}, {keys[i] for i in f.check}) for f in made.folds]

    assert rows(frame) == rows(shuffled)


def test_another_seed_assigns_the_entities_to_other_folds():
    frame = snapshots("trial", entities=60, days=10, rate=0.3, seed=5)
    one, two = (tuning_folds(frame, HORIZON, "trial", seed).folds[0].check for seed in (1, 2))

    assert set(one) != set(two)


# ---------------------------------------------------------------- what is refused


def plain(converted, days):
    """One snapshot an entity."""
    as_of = START + np.asarray(days, np.int64) * DAY
    names = [f"e{n}" for n in range(len(as_of))]
    return pd.DataFrame({"entity": names, "as_of": as_of, "signed_up": as_of, "converted": converted})


def test_one_entity_is_refused():
    frame = plain([True, False], [0, 100]).assign(entity="e0")

    with pytest.raises(NotEnoughDataError, match=r"only one entity. Received: 2 snapshots of it"):
        out_of_time(frame, HORIZON, "trial")


@pytest.mark.parametrize("motion", ["trial", "freemium"])
def test_a_history_within_one_horizon_is_refused(motion):
    frame = plain([True, False] * 10, range(20))
    expected = r"history is too short.*10 conversions in snapshots from 2024-10-04 to 2024-10-23.*horizon of 30d"

    with pytest.raises(NotEnoughDataError, match=expected):
        out_of_time(frame, Duration.parse("30d"), motion)


def test_conversions_on_one_side_only_are_refused():
    days = np.arange(200)

    with pytest.raises(NotEnoughDataError, match=r"Nobody converted in the later period.*none after 2024-11-2"):
        out_of_time(plain(days < 50, days), HORIZON, "trial")
    with pytest.raises(NotEnoughDataError, match="history is too short"):
        out_of_time(plain(days > 185, days), HORIZON, "trial")


def test_fewer_than_ten_conversions_on_one_side_are_too_few_and_the_base_rate_is_given():
    days = np.arange(200)

    with pytest.raises(TooFewConversionsError, match=r"later test.*4 of 200 entities converted, 2.0%") as payload:
        out_of_time(plain(days > 195, days), HORIZON, "trial")
    assert payload.value.to_dict()["verdict"] == "too_few_conversions"
    assert payload.value.base_rate["rate"]["high"] == pytest.approx(0.0503, abs=1e-4)


def test_a_training_part_of_converters_only_is_refused():
    days = np.arange(200)

    with pytest.raises(NotEnoughDataError, match="history is too short"):
        out_of_time(plain((days < 180) | (days % 2 == 0), days), HORIZON, "trial")


@pytest.mark.parametrize("converted", [[False] * 20, [True] + [False] * 19, [True] * 20], ids=["none", "one", "all"])
@pytest.mark.parametrize("motion", ["trial", "freemium"])
def test_too_few_conversions_to_fold_are_refused(motion, converted):
    with pytest.raises(NotEnoughDataError, match=rf"too few conversions to tune on. Received: {sum(converted)} conv"):
        tuning_folds(plain(converted, range(20)), HORIZON, motion, seed=7)


# ---------------------------------------------------------------- the record


def test_a_part_is_described_by_rows_entities_conversions_and_period():
    frame = plain([True, False, True], [0, 1, 2]).assign(entity=["a", "a", "b"]).set_axis([5, 5, 5])

    assert describe(frame, np.array([True, True, False])) == {
        "rows": 2,
        "entities": 1,
        "conversions": 1,
        "converting_entities": 1,
        "from": "2024-10-04",
        "to": "2024-10-05",
    }
    assert describe(frame, np.zeros(3, bool)) == {
        "rows": 0,
        "entities": 0,
        "conversions": 0,
        "converting_entities": 0,
        "from": None,
        "to": None,
    }
