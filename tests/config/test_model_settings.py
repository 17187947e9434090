import pytest
from configs import SMALL

from pql_model.config.load import dump_config, parse_config
from pql_model.config.model_settings import LightGBMParams, LightGBMSearch
from pql_model.errors import ConfigError
from pql_model.model.booster import Params


def test_by_default_lightgbm_is_tuned_in_its_default_space():
    model = parse_config(SMALL).model
    assert (model.learner, model.params.chosen(), model.search.chosen()) == ("lightgbm", {}, {})


def test_own_parameters_and_ranges_are_read_and_written_back():
    config = parse_config(SMALL + "model: {params: {num_leaves: 4, max_bin: 63}, search: {learning_rate: [0.02, 0.1]}}")
    assert config.model.params.chosen() == {"num_leaves": 4, "max_bin": 63}
    assert config.model.search.chosen() == {"learning_rate": [0.02, 0.1]}
    assert parse_config(dump_config(config)) == config


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{params: {num_leafs: 3}}", "unknown key `num_leafs`, did you mean `num_leaves`?"),
        ("{parms: {}}", "unknown key `parms`, did you mean `params`?"),
        ("{params: {objective: huber}}", "`objective` cannot be set: the margin must be the log-odds of a conversion"),
        ("{params: {scale_pos_weight: 3}}", "`scale_pos_weight` cannot be set: calibration starts from"),
        ("{params: {monotone_constraints: [1]}}", "`monotone_constraints` cannot be set: use the key `monotone:`"),
        ("{search: {seed: [1, 2]}}", "`seed` cannot be set: use the key `seed:` of the config"),
        ("{params: {n_estimators: 3}}", "`n_estimators` is called `rounds` here"),
        ("{params: {learning_rate: 3}}", "model.params.learning_rate: input should be less than or equal to 1"),
        ("{search: {num_leaves: [9, 3]}}", r"a range is \[lowest, highest\]; give one value under `params`"),
        ("{search: {feature_fraction: [0.5, 7]}}", "model.search.feature_fraction: input should be less than"),
        ("{search: {extra_trees: [true, false]}}", "unknown key `extra_trees`"),
        ("{params: {rounds: 3}, search: {rounds: [3, 9]}}", "`rounds` is both fixed under `params` and searched"),
        ("{learner: mine, params: {rounds: 3}}", "`params` and `search` belong to the learner `lightgbm`"),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_reason(line, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(SMALL + f"model: {line}\n")


def test_every_setting_that_is_searched_can_be_fixed():
    assert set(LightGBMSearch.model_fields) <= set(LightGBMParams.model_fields)
    assert set(Params.__dataclass_fields__) <= set(LightGBMParams.model_fields)
