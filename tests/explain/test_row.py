import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pql_model.explain.reason_text import AGE
from pql_model.explain.reasons import explain
from pql_model.explain.row import Explainer
from pql_model.model.calibrate import Calibration, fit_calibration
from pql_model.model.columns import Manifest, ModelColumn

COLUMNS = (
    ModelColumn("Invited.count.first_7d", "feature"),
    ModelColumn("Invited.days_since_last.ever", "feature"),
    ModelColumn("Search.count.ever", "feature"),
    ModelColumn("any.active_days.ever", "feature"),
    ModelColumn(AGE.name, "feature"),
    ModelColumn("trait.size", "category", ("1-10", "51-200", "(other)")),
    ModelColumn("trait.seats", "number"),
)
MANIFEST = Manifest(COLUMNS)
RNG = np.random.default_rng(3)
MARGINS = RNG.normal(-2, 1, 600)
CALIBRATIONS = [
    fit_calibration(MARGINS, (RNG.random(600) < 1 / (1 + np.exp(-MARGINS))).astype(float)),
    fit_calibration(np.tile(MARGINS, 20), np.tile(RNG.random(600) < 0.3, 20).astype(float)),
]
CONTRIBUTION = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, 0.25, -0.25, 1e-10, -1e-10]))
NUMBER = st.one_of(st.none(), st.integers(0, 50).map(float), st.floats(0, 1e6))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(CONTRIBUTION, min_size=len(COLUMNS) + 1, max_size=len(COLUMNS) + 1),
    st.lists(NUMBER, min_size=6, max_size=6),
    st.sampled_from([None, "1-10", "51-200", "other"]),
    st.sampled_from(CALIBRATIONS),
)
def test_one_row_is_explained_as_in_a_table(contributions, numbers, size, calibration: Calibration):
    values = [*numbers[:5], size, numbers[5]]
    table = pd.DataFrame(
        {
            c.name: pd.Series([v], dtype=object if c.kind == "category" else float)
            for c, v in zip(COLUMNS, values, strict=True)
        }
    )
    whole = explain(np.array([contributions]), table, MANIFEST, calibration)
    alone = Explainer(MANIFEST, calibration).explain(contributions, values, numbers[4])
    assert [r.to_dict() for r in alone.reasons] == [r.to_dict() for r in whole.rows[0]]
    assert (alone.usage, alone.fit, alone.timing, alone.base) == (
        whole.usage[0],
        whole.fit[0],
        whole.timing[0],
        whole.base[0],
    )
