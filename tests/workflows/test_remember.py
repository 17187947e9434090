import pandas as pd
from sync_world import DAY_0, make_world, table_form

from pql_model.activate.outbox import Run, open_outbox
from pql_model.decide.state import EntityState, RunState
from pql_model.decide.state_file import read_runs, state_path
from pql_model.workflows.remember import remember_run


def test_decisions_are_remembered_and_their_leads_queued(tmp_path):
    config = make_world(tmp_path, "ab").targets().config
    rows = pd.DataFrame([table_form("a", DAY_0, True, {}), table_form("b", DAY_0, False, {})])
    after = RunState(DAY_0, {"a": EntityState(True, DAY_0, DAY_0), "b": EntityState(True, DAY_0, None)})
    remember_run(config, [], [after], Run(DAY_0, "scores.parquet", "2024-10-04T05:30:00Z", "1", 1, ()), rows)
    assert read_runs(state_path(tmp_path, "boards")) == [after]
    with open_outbox(tmp_path, "boards") as outbox:
        (lead,) = outbox.leads(outbox.open_keys("any"))
    assert (lead.entity, lead.qualified_at, lead.row["reasons"]) == ("a", DAY_0, [{"words": "3 invited (+)"}])
