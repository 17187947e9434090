import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from listing import BANDS, LEVEL_ERROR, lead_list, scored

from pql_model.decide.policy import expected_conversions
from pql_model.leads.sections import LISTED, SECTIONS, WITH_DETAILS, section_of


def row(**changed):
    return {
        "entity": "a",
        "band": "medium",
        "is_pql": False,
        "newly_qualified": False,
        "suppressed": None,
        "probability": 0.2,
        **changed,
    }


@pytest.mark.parametrize(
    ("changed", "section"),
    [
        ({"is_pql": True, "newly_qualified": True}, "new"),
        ({"is_pql": True}, "open"),
        ({"is_pql": True, "suppressed": "cool_down"}, "open"),
        ({"suppressed": "capacity"}, "waiting"),
        ({"suppressed": "held_out"}, "waiting"),
        ({"suppressed": "something_new"}, "waiting"),
        ({}, "others"),
        ({"band": "very_low"}, "not_to_call"),
        ({"band": "very_low", "is_pql": True}, "open"),
        ({"is_pql": pd.NA, "newly_qualified": pd.NA}, "others"),
    ],
)
def test_the_section_of_a_row(changed, section):
    rows = pd.DataFrame([row(**changed), row(entity="b", band="very_low")])
    assert section_of(rows, BANDS, {})[0].tolist() == [section, "not_to_call"]


def test_whoever_has_paid_is_not_to_be_called():
    rows = pd.DataFrame([row(is_pql=True, newly_qualified=True), row(entity="b", is_pql=True, newly_qualified=True)])
    assert section_of(rows, BANDS, {"a": 1})[0].tolist() == ["waiting", "new"]


def test_the_highest_band_is_never_the_one_not_to_call():
    rows = pd.DataFrame([row(band="high"), row(entity="b", band="high")])
    sections, band = section_of(rows, BANDS, {})
    assert (sections.tolist(), band) == (["others", "others"], "very_low")


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "band": st.sampled_from(BANDS),
                "is_pql": st.booleans(),
                "newly_qualified": st.booleans(),
                "suppressed": st.sampled_from([None, "capacity", "held_out", "excluded", "cool_down"]),
                "paid": st.booleans(),
            }
        ),
        min_size=1,
        max_size=30,
    )
)
def test_every_row_is_in_exactly_one_section(cells):
    rows = scored(len(cells)).assign(**{name: [cell[name] for cell in cells] for name in cells[0]})
    paid = {entity: 1 for entity, has in zip(rows["entity"], rows["paid"], strict=True) if has}
    leads = lead_list(rows.drop(columns="paid"), paid=paid)
    assert sorted(lead.entity for lead in leads.listed) == sorted(rows["entity"])
    assert sum(leads.counts.values()) == len(rows)
    assert tuple(leads.counts) == SECTIONS


def test_a_section_shows_the_best_with_details_and_counts_what_it_does_not_list():
    rows = scored(LISTED + 40).assign(is_pql=True, newly_qualified=True, suppressed=None)
    section = lead_list(rows).sections["new"]
    assert (len(section.leads), len(section.brief), section.left_out) == (WITH_DETAILS, LISTED - WITH_DETAILS, 40)
    assert [lead.entity for lead in (*section.leads, *section.brief)] == rows["entity"].head(LISTED).tolist()


def test_the_cost_of_a_section_is_that_of_all_its_rows():
    rows = scored(300)
    section = lead_list(rows).sections["not_to_call"]
    named = rows["entity"].isin([lead.entity for lead in section.brief])
    assert section.expected == expected_conversions(rows.loc[named, "probability"].to_numpy(), LEVEL_ERROR)
    assert set(rows.loc[named, "band"]) == {section.band} == {"very_low"}
