import pandas as pd
import pytest
from sync_world import make_world

from pql_model.activate.scored_file import scored_rows
from pql_model.errors import DataError


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path, "abc").targets()


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_rows_come_back_as_the_service_answers_them(world, tmp_path, ending):
    run = world.score(0, new=["a"], stay=["007"])
    if ending == "csv":
        pd.read_parquet(run.output).to_csv(tmp_path / "scores.csv", index=False)
        run = type(run)(**{**run.__dict__, "output": str(tmp_path / "scores.csv")})
    (rows,) = scored_rows(run, only_pqls=False)
    assert [row["entity"] for row in rows] == ["a", "007"]
    assert rows[0]["as_of"] == "2024-10-04"
    assert rows[0]["reasons"] == [{"words": "3 invited (+)"}]
    assert (rows[0]["is_pql"], rows[0]["newly_qualified"], rows[1]["newly_qualified"]) == (True, True, False)
    assert rows[0]["suppressed"] is None


def test_only_pqls(world):
    run = world.score(0, new=["a"], stay=["b"])
    frame = pd.read_parquet(run.output)
    frame.assign(is_pql=[True, False]).to_parquet(run.output, index=False)
    assert [row["entity"] for rows in scored_rows(run, only_pqls=True) for row in rows] == ["a"]


def test_the_rows_of_another_run_are_refused(world):
    run = world.score(0, new=["a"])
    frame = pd.read_parquet(run.output)
    frame.assign(scored_at=pd.Timestamp("2024-10-04T09:00Z")).to_parquet(run.output, index=False)
    with pytest.raises(DataError, match="holds the rows of another scoring run"):
        list(scored_rows(run, only_pqls=False))


def test_missing_and_broken_rows_are_said(world, tmp_path):
    run = world.score(0, new=["a"])
    (tmp_path / "scores.parquet").write_text("half")
    with pytest.raises(DataError, match="cannot be read"):
        list(scored_rows(run, only_pqls=False))
    (tmp_path / "scores.parquet").unlink()
    with pytest.raises(DataError, match="are gone"):
        list(scored_rows(run, only_pqls=False))
