import base64

import pytest
from sync_world import OLD_SECRET, SECRET

from pql_model.activate.secrets import missing_variables, read_secrets, variables_of
from pql_model.config.sync_targets import SlackTarget, WebhookTarget
from pql_model.errors import ConfigError

HOOK = WebhookTarget(name="crm", kind="webhook", url="https://example.com/a", secret_env=["NEW", "OLD"])
SLACK = SlackTarget(name="team", kind="slack", url_env="SLACK_URL")
SLACK_URL = "https://hooks.slack.com/services/T0/B0/s3cr3t"


def test_every_missing_variable_is_named_at_once():
    with pytest.raises(ConfigError, match="NEW is not set") as raised:
        read_secrets([HOOK, SLACK], required=True, environment={"OLD": OLD_SECRET})
    assert [fault.message for fault in raised.value.faults] == [
        "the environment variable NEW is not set",
        "the environment variable SLACK_URL is not set",
    ]


def test_a_run_that_only_shows_needs_no_variable():
    secrets = read_secrets([HOOK, SLACK], required=False, environment={"NEW": SECRET})
    assert missing_variables([HOOK, SLACK], secrets) == ["OLD", "SLACK_URL"]
    assert secrets.signing(HOOK) == [SECRET]


@pytest.mark.parametrize("value", ["hunter2", "whsec_" + base64.b64encode(b"short").decode(), "whsec_%%%"])
def test_an_unusable_signing_secret_is_refused_without_repeating_it(value):
    with pytest.raises(ConfigError, match="NEW is not a signing secret of Standard Webhooks") as raised:
        read_secrets([HOOK], required=False, environment={"NEW": value, "OLD": OLD_SECRET})
    assert value not in str(raised.value)


def test_a_secret_address_must_be_https_and_is_not_repeated():
    with pytest.raises(ConfigError, match="SLACK_URL needs https") as raised:
        read_secrets([SLACK], required=True, environment={"SLACK_URL": "http://hooks.slack.com/s3cr3t"})
    assert "s3cr3t" not in str(raised.value)


def test_secrets_are_masked_in_texts_and_absent_from_repr():
    secrets = read_secrets(
        [HOOK, SLACK], required=True, environment={"NEW": SECRET, "OLD": OLD_SECRET, "SLACK_URL": SLACK_URL}
    )
    assert secrets.mask(f"cannot reach {SLACK_URL} with {SECRET}") == "cannot reach *** with ***"
    assert SECRET not in repr(secrets)
    assert secrets.mask("POST /services/T0/B0/s3cr3t failed") == "POST *** failed"
    assert variables_of(HOOK) == ["NEW", "OLD"]
