import pytest
from calls import Caller, refused, service_of

from pql_model.serve.leads_page import read_leads
from pql_model.serve.problem import ProblemError

KEY = "0123456789abcdef"


def test_the_newest_page_is_served_behind_the_key(bundle, tmp_path):
    page = tmp_path / "leads.html"
    call = Caller(service_of(bundle.path, leads=page, keys=(KEY,)))
    refused(call("GET", "/leads"), 401, "key")
    refused(call("GET", "/leads", headers={"x-api-key": KEY}), 404, "no_leads")
    for text in ("<p>Größe</p>", "<p>later</p>"):
        page.write_text(text, encoding="utf-8")
        answer = call("GET", "/leads", headers={"x-api-key": KEY})
        assert (answer.status_code, answer.text) == (200, text)


def test_the_page_may_load_and_send_nothing(bundle, tmp_path):
    (tmp_path / "leads.html").write_text("")
    answer = Caller(service_of(bundle.path, leads=tmp_path / "leads.html"))("GET", "/leads")
    policy = answer.headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy
    assert "connect-src" not in policy
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


def test_without_a_setting_there_is_no_page():
    with pytest.raises(ProblemError, match="There is no list of leads to show"):
        read_leads(None)
