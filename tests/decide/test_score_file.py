import pandas as pd
import pytest

from pql_model.decide.score_file import read_score_file


@pytest.mark.parametrize("name", ["scores.csv", "scores.parquet"])
def test_ids_and_times_have_the_types_that_they_were_written_with(tmp_path, name):
    at = pd.Timestamp("2026-01-05T10:00", tz="UTC")
    rows = pd.DataFrame(
        {
            "entity": ["0012", "NA"],
            "as_of": [at, at],
            "scored_at": [at, at],
            "suppressed": [None, "capacity"],
            "is_pql": [True, False],
        }
    )
    (rows.to_csv if name.endswith("csv") else rows.to_parquet)(tmp_path / name, index=False)
    found = read_score_file(tmp_path / name)

    assert found["entity"].tolist() == ["0012", "NA"]
    assert found["as_of"].tolist() == [at, at]
    assert found["suppressed"].isna().tolist() == [True, False]
    assert found["is_pql"].tolist() == [True, False]


def test_a_file_without_content_is_an_error(tmp_path):
    (tmp_path / "x.parquet").write_text("")
    with pytest.raises((OSError, ValueError), match=r".+"):
        read_score_file(tmp_path / "x.parquet")
