import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pql_model.model.columns import Manifest, ModelColumn
from pql_model.serve.trait_encoding import TraitColumn

SIZE = ModelColumn("trait.size", "category", ("1-10", "51-200", "2", "true", "0.5", "(other)"))
PLAN = ModelColumn("trait.plan", "category", ("free", "trial"))
SEATS = ModelColumn("trait.seats", "number")
TEXTS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        [
            "1-10",
            " 51-200 ",
            "2",
            "2.0",
            "TRUE",
            "true",
            "",
            "  ",
            "1e3",
            "inf",
            "nan",
            "0x10",
            "1_000",
            "１２",
            "\u00a0free",
            "\x1f1",
        ]
    ),
)
RAW = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False), TEXTS
)


@settings(max_examples=300, deadline=None)
@given(RAW)
def test_a_single_trait_is_encoded_as_in_a_table(raw):
    for column in (SIZE, PLAN, SEATS):
        table = pd.DataFrame({column.name: pd.Series([raw], dtype=object)})
        whole = Manifest((column,)).matrix(table)[0, 0]
        _, alone = TraitColumn(column).read(raw)
        assert alone == whole or (np.isnan(alone) and np.isnan(whole)), column.name
