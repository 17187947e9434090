import pytest

from pql_model.registry.history import champions_after, parse_champions, parse_version, previous_champion, version_tags
from pql_model.statistics.estimate import Estimate


@pytest.mark.parametrize(
    ("champions", "current", "version", "after"),
    [
        ([], None, "1", ["1"]),
        (["1"], "1", "2", ["1", "2"]),
        (["1", "2", "3"], "3", "2", ["1", "2"]),  # back: what came after is taken off
        (["1", "2", "3"], "3", "1", ["1"]),
        ([], "4", "5", ["4", "5"]),  # a champion from before there was a history
        (["1"], "2", "3", ["1", "2", "3"]),  # killed between the alias and the history
        (["1", "2"], None, "3", ["1", "2", "3"]),
        (["1", "2"], "2", "2", ["1", "2"]),
    ],
)
def test_the_history_after_a_promotion(champions, current, version, after):
    assert champions_after(champions, current, version) == after


@pytest.mark.parametrize(
    ("champions", "current", "existing", "before"),
    [
        ([], None, [], None),
        (["1"], "1", ["1"], None),
        (["1", "2"], "2", ["1", "2"], "1"),
        (["1", "2", "3"], "3", ["1", "3"], "1"),  # 2 was deleted
        (["1"], "2", ["1", "2"], "1"),  # the history does not know the champion
        (["1", "2"], None, ["1", "2"], "2"),  # the alias was deleted
    ],
)
def test_the_previous_champion(champions, current, existing, before):
    assert previous_champion(champions, current, existing) == before


@pytest.mark.parametrize(("tag", "found"), [(None, []), ("[1, 2]", ["1", "2"]), ("nonsense", []), ("{}", [])])
def test_an_invalid_history_tag_is_ignored(tag, found):
    assert parse_champions(tag) == found


def version(**tags):
    return parse_version("2", 1_767_225_600_000, "run", tags, ["champion"])


def test_a_version_is_read_from_its_tags():
    result = version(
        **version_tags("ready", Estimate(0.7, 0.6, float("nan")), "forced", "why"), promoted_at="2026-01-02"
    )
    assert (result.trained_at, result.forced, result.promotion) == ("2026-01-01", True, "why")
    assert result.to_dict()["roc_auc"] == {"value": 0.7, "low": 0.6, "high": None}
    assert result.to_dict()["aliases"] == ["champion"]


def test_a_version_registered_by_other_means_has_no_figures():
    model_version = parse_version("1", 0, None, {"roc_auc": "high"}, [])
    assert (model_version.verdict, model_version.roc_auc, model_version.run_id) == (None, None, "")
    assert model_version.to_dict()["roc_auc"] is None


@pytest.mark.parametrize("gate", ["passed", "forced"])
def test_a_promotion_that_never_happened_is_not_reported_as_one(gate):
    broken = version(promotion="promoted: it is better", gate=gate)
    assert broken.promotion == "not promoted: its training was interrupted before that (promoted: it is better)"
    done = version(promotion="promoted: it is better", gate=gate, promoted_at="2026-01-02")
    assert done.promotion == "promoted: it is better"


@pytest.mark.parametrize("gate", ["failed", "switched off"])
def test_a_version_that_was_not_promoted_keeps_its_reason(gate):
    assert version(promotion="not promoted: equal", gate=gate).promotion == "not promoted: equal"
