import json


def test_findings_are_what_pql_criteria_list_prints(trained):
    payload = trained.findings.to_dict()

    assert json.loads((trained.folder / "criteria.json").read_text(encoding="utf-8")) == json.loads(json.dumps(payload))
    assert [each["behaviour"] for each in payload["behaviours"]] == [each.name for each in trained.findings.behaviours]
