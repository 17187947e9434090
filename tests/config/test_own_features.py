import pytest
from configs import SMALL

from pql_model.config.load import dump_config, parse_config
from pql_model.errors import ConfigError
from pql_model.features.spec import declared_feature

TABLE = "{table: nps.csv, columns: {entity: account, time: day, known_at: loaded}, values: {score: nps}}"


def test_features_and_dated_columns_are_read_and_written_back():
    config = parse_config(
        SMALL + f"features: [{{event: login, measure: active_days, window: first 7d}}, {TABLE}, "
        "{table: health.csv, columns: {entity: id, time: at}, values: [health]}]"
    )
    declared, dated, health = config.features
    assert (declared.event, declared.measure, str(declared.window)) == ("login", "active_days", "first 7d")
    assert (dated.table, dated.values, dated.columns.known_at) == ("nps.csv", {"score": "nps"}, "loaded")
    assert health.values == {"health": "health"}
    assert config.dated_names == ["score", "health"]
    assert parse_config(dump_config(config)) == config


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("{measure: count}", "a feature of your own has either `event` or `table`"),
        (f"{{event: login, {TABLE[1:]}", "a feature of your own has either `event` or `table`"),
        ("{event: login, measure: cuont}", "`cuont` is not a measure of one event, did you mean `count`?"),
        ("{event: [a, a]}", "the same event is listed twice: a"),
        ("{event: a, after: b}", "`after: Report Created` and `gap: 3d` belong together"),
        ("{event: a, measure: trend, window: last 7d, share_of: q}", "`share_of` divides an amount, not `trend`"),
        (f"{TABLE[:-1]}, share_of: q}}", "`share_of` belongs to an `event`"),
        ("{event: any, measure: trend}", "measure `trend` needs a `last` window"),
        ("{event: login, values: [x]}", "`columns` and `values` belong to a `table`"),
        ("{table: x.csv, columns: {entity: a, time: b}}", "a table of dated columns needs `columns:"),
        (f"{TABLE[:-1]}, measure: max}}", "`measure` belongs to an `event`: of a table of dated columns the last"),
        ("{table: x.csv, columns: {entity: a, tiem: b}, values: [v]}", "unknown key `tiem`, did you mean `time`?"),
    ],
)
def test_what_is_neither_is_refused(item, message):
    with pytest.raises(ConfigError, match=message.replace("?", r"\?")):
        parse_config(SMALL + f"features: [{item}]\n")


def test_groups_orders_and_shares_are_declared_as_in_conditions():
    config = parse_config(
        SMALL + "features: [{event: [a, b], window: first 7d}, {event: a, after: c, gap: 2d}, "
        "{event: a, measure: sum, value: mb, share_of: quota}]"
    )
    names = [declared_feature(spec).name for spec in config.features]
    assert names == ["a.count.first_7d.or+b", "a.count.ever.after+c.gap+2d", "a.sum.mb.ever.of+quota"]
    assert parse_config(dump_config(config)) == config
