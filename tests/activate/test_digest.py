import json

from sync_world import DAY_0, scored_row

from pql_model.activate.digest import digest_text, slack_body
from pql_model.activate.lead import Lead

STEP = {"words": "2 of 3 invited: one more would raise the probability to 40%"}


def lead(entity, **values):
    return Lead(entity, DAY_0, scored_row(entity, **values))


def test_the_best_leads_are_described_and_the_others_counted():
    leads = [lead("Acme", contact={"user": "ada@acme.com"}, next_step=STEP), lead("Bolt")]
    assert digest_text("boards", leads, 12) == (
        "12 new leads from boards\n\n"
        "Acme\n  30% likely to convert (high), since 2024-10-04\n  Contact: ada@acme.com\n"
        "  Why: 3 invited (+); 5 files (+)\n  Next step: 2 of 3 invited: one more would raise the probability to 40%\n\n"
        "Bolt\n  30% likely to convert (high), since 2024-10-04\n  Why: 3 invited (+); 5 files (+)\n\n"
        "And 10 more."
    )


def test_a_single_lead_is_not_plural():
    assert digest_text("boards", [lead("Acme")], 1).startswith("1 new lead from boards\n")


def test_names_cannot_mention_link_or_format_in_slack():
    content = json.loads(slack_body("boards", [lead("<!channel> *R&D* <https://evil.example|here>\nx")], 1))
    text = content["blocks"][1]["text"]["text"]
    first = text.splitlines()[0]
    assert first == "*&lt;!channel&gt; ∗R&amp;D∗ &lt;https://evil.example|here&gt; x*"
    assert "<" not in json.dumps(content)


def test_slack_receives_no_more_than_it_takes():
    long = {"words": "x" * 10_000}
    content = json.loads(slack_body("boards", [lead("n" * 500, reasons=[long])] * 40, 100_000))
    assert len(content["blocks"]) <= 50
    assert max(len(block["text"]["text"]) for block in content["blocks"]) <= 3_000
    assert content["text"] == "100,000 new leads from boards"
    assert content["blocks"][-1]["text"]["text"] == "And 99,960 more."
