import pytest

from pql_model.config.load import dump_config, parse_config
from pql_model.config.sync_targets import address_fault
from pql_model.errors import ConfigError

BASE = """
name: boards
events: [{table: e.csv, columns: {entity: account, event: what, time: at}}]
entities: {table: a.csv, columns: {entity: account, signed_up: created}}
conversions: {table: p.csv, columns: {entity: account, time: at}}
motion: trial
sync:
"""
ALL = """
  - {name: crm, kind: webhook, url: "https://example.com/hook", secret_env: [NEW, OLD], timeout: 5s}
  - {name: warehouse, kind: table, connection: "postgres://db/shop", table: crm.pql_scores, rows: all}
  - {name: today, kind: file, path: "out/new-{as_of}.csv", rows: newly_qualified}
  - {name: team, kind: slack, url_env: SLACK_URL}
  - {name: mail, kind: notify, url_env: MAIL_URL}
  - {name: hubspot, kind: hubspot, path: out/hubspot.csv}
  - {name: sf, kind: salesforce, path: out/sf.csv, object: account}
"""


def test_a_list_of_targets_reads_back_as_it_was():
    config = parse_config(BASE + ALL)
    assert [target.kind for target in config.sync] == [
        "webhook",
        "table",
        "file",
        "slack",
        "notify",
        "hubspot",
        "salesforce",
    ]
    assert config.sync[0].secret_env == ["NEW", "OLD"]
    assert config.sync[5].rows == "newly_qualified"
    assert parse_config(dump_config(config)) == config


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{name: a, kind: webhok}", "sync.0.kind: unknown kind `webhok`, did you mean `webhook`?"),
        ("{name: a}", "sync.0.kind: missing; this key is required. Allowed: webhook, slack"),
        ("{name: a, kind: file, pth: a.csv}", "unknown key `pth`, did you mean `path`?"),
        ("{name: a b, kind: file, path: a.csv}", "sync.0.name: string should match pattern"),
        ("{name: a, kind: file, path: a.xlsx}", "`path` ends in .csv, .parquet, .jsonl"),
        ("{name: a, kind: hubspot, path: a.parquet}", "`path` ends in .csv. Received"),
        ("{name: a, kind: file, path: 'a-{day}.csv'}", "the only placeholder in `path` is {as_of}"),
        ("{name: a, kind: webhook, secret_env: S}", "needs `url`, or `url_env`"),
        ("{name: a, kind: webhook, url: 'https://x.com', url_env: U, secret_env: S}", "and not both"),
        ("{name: a, kind: webhook, url: 'https://x.com'}", "sync.0.secret_env: missing"),
        (
            "{name: a, kind: webhook, url: 'https://x.com', secret_env: S, rows: all}",
            "input should be 'newly_qualified'",
        ),
        ("{name: a, kind: webhook, url: 'http://x.com', secret_env: S}", "sync.0.url: needs https"),
        ("{name: a, kind: table, table: t}", "`sync` target `a` needs a `connection`"),
        ("{name: a, kind: table, table: t, connection: x, connection_env: Y}", "has both"),
        ("{name: a, kind: file, path: a.csv}\n  - {name: a, kind: file, path: b.csv}", "several targets named `a`"),
        (
            "{name: a, kind: file, path: a.csv}\n  - {name: b, kind: file, path: a.csv}",
            "several targets that write a.csv",
        ),
    ],
)
def test_a_fault_is_named_with_its_place(line, message):
    with pytest.raises(ConfigError, match=r"pql\.yaml has") as raised:
        parse_config(f"{BASE}  - {line}\n")
    assert message in str(raised.value)
    assert raised.value.faults[0].line in (7, 8)


@pytest.mark.parametrize("key", ["url_env: 'https://hooks.slack.com/s3cr3t'", "url_env: s3cr3t-token"])
def test_a_secret_in_place_of_a_variable_is_not_repeated(key):
    with pytest.raises(ConfigError, match="needs the name of an environment variable") as raised:
        parse_config(f"{BASE}  - {{name: a, kind: slack, {key}}}\n")
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/a", "http://localhost/a", "http://[::1]:8000/", "https://x.com/a?b=c"]
)
def test_addresses_that_can_be_used(url):
    assert address_fault(url) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://127.0.0.1.example.com/", "needs https"),
        ("http://10.0.0.1/", "needs https"),
        ("https://user:s3cr3t@x.com/", "holds a user or a password"),
        ("ftp://x.com/", "needs a URL"),
        ("x.com/hook", "needs a URL"),
        ("https://x.com:port/", "is not a URL"),
        ("https://[x/", "is not a URL"),
        ("", "needs a URL"),
    ],
)
def test_addresses_that_cannot(url, fault):
    said = address_fault(url)
    assert said is not None
    assert said.startswith(fault)
    assert "s3cr3t" not in said
