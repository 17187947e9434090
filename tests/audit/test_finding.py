from pql_model.audit.finding import Finding, action_for, quarantined


def finding(action, columns=()):
    return Finding("trait.a", "identifier", "why", 0.98765, action, columns)


def test_only_quarantined_columns_are_removed():
    assert quarantined([finding(action) for action in ("allowed", "kept", "named")]) == []
    assert quarantined([finding("quarantined")]) == ["trait.a"]


def test_an_event_takes_its_features_with_it():
    assert quarantined([finding("quarantined", ("a.count.ever", "a.active_days.ever"))]) == [
        "a.count.ever",
        "a.active_days.ever",
    ]


def test_to_dict_lists_columns_only_if_they_differ():
    assert finding("kept").to_dict() == {
        "column": "trait.a",
        "reason": "why",
        "kind": "identifier",
        "auc": 0.9877,
        "action": "kept",
    }
    assert finding("quarantined", ("a.count.ever",)).to_dict()["columns"] == ["a.count.ever"]


def test_any_name_of_a_column_allows_it():
    assert action_for(["a"], ("trait.a", "a")) == "allowed"
    assert action_for(["A"], ("trait.a", "a")) == "quarantined"
