import email.utils
import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from receiver import receiver

from pql_model import time
from pql_model.activate import http_sender
from pql_model.activate.http_sender import ATTEMPTS, Answer, Message, open_sender, still_held

NOW = 20_000 * time.DAY


def post(url, count=1, timeout=5.0):
    messages = [Message(f"msg_{k}", b"{}", lambda now, k=k: {"webhook-id": f"msg_{k}"}) for k in range(count)]
    with open_sender(url, timeout) as sender:
        return sender.post_all(messages)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_good_answer_is_sent(hook, status):
    hook.always = status
    assert post(hook.url, 3) == [Answer("sent", answer.reason) for answer in post(hook.url, 3)]
    assert len(hook.received) == 6


@pytest.mark.parametrize("status", [400, 401, 404, 410, 413, 422])
def test_a_refusal_is_final_and_not_repeated(hook, status):
    hook.always = status
    (answer,) = post(hook.url)
    assert answer.outcome == "refused"
    assert answer.reason.startswith(f"HTTP {status}")
    assert len(hook.received) == 1


def test_a_redirect_is_not_followed(hook):
    hook.script = [(302, {"location": hook.url})]
    assert post(hook.url) == [Answer("refused", "HTTP 302 Found: redirects are not followed")]
    assert len(hook.received) == 1


@pytest.mark.parametrize("step", [500, 502, 503, 408, 425, 429, "close", "cut"])
def test_a_failure_that_may_pass_is_repeated_with_the_same_id(hook, step):
    hook.script = [step, step]
    assert post(hook.url)[0].outcome == "sent"
    assert hook.ids == ["msg_0"] * 3


def test_after_a_few_attempts_the_message_waits_for_the_next_run(hook):
    hook.always = 500
    assert post(hook.url) == [Answer("unavailable", "HTTP 500 Internal Server Error")]
    assert len(hook.received) == ATTEMPTS


@pytest.mark.parametrize("step", ["hang", "drip"])
def test_a_target_that_hangs_or_trickles_costs_no_more_than_the_timeout(hook, step, monkeypatch):
    monkeypatch.setattr(http_sender, "ATTEMPTS", 1)
    hook.always = step
    (answer,) = post(hook.url, timeout=0.3)
    assert answer.outcome == "unavailable"


def test_a_refused_connection_may_pass_and_its_reason_holds_no_path(hook):
    with receiver() as gone:
        url = gone.url + "/s3cr3t"
    (answer,) = post(url)
    assert answer.outcome == "unavailable"
    assert "s3cr3t" not in answer.reason


def test_an_invalid_certificate_is_not_accepted(tmp_path, monkeypatch):
    monkeypatch.setattr(http_sender, "_FIRST_PAUSE_SECONDS", 0.001)
    with receiver(self_signed(tmp_path)) as hook:
        assert post(hook.url) == [Answer("unavailable", "its certificate is not valid")]
        assert hook.received == []


def test_a_long_pause_is_left_to_the_next_run(hook):
    hook.script = [(429, {"retry-after": "3600"})]
    before = time.now()
    (answer,) = post(hook.url)
    assert answer.outcome == "unavailable"
    assert before + time.HOUR <= answer.hold_until <= time.now() + time.HOUR
    assert len(hook.received) == 1


def test_a_short_pause_is_kept_before_the_next_attempt(hook, monkeypatch):
    pauses = []
    monkeypatch.setattr(http_sender, "_pause", lambda state: pauses.append(http_sender_pause(state)) or 0)
    hook.script = [(503, {"retry-after": "20"})]
    assert post(hook.url)[0].outcome == "sent"
    assert 19 < pauses[0] <= 20


http_sender_pause = http_sender._pause


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (email.utils.format_datetime(datetime.fromtimestamp(NOW / time.SECOND + 60, UTC), usegmt=True), 60),
        (email.utils.format_datetime(datetime.fromtimestamp(NOW / time.SECOND - 60, UTC), usegmt=True), None),
        ("99999999999999999999999", 86_400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("²", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_in_the_future_of_at_most_a_day(header, seconds):
    expected = None if seconds is None else NOW + seconds * time.SECOND
    assert http_sender._hold(header, NOW) == expected


def test_a_pause_ends_also_if_the_clock_was_set_back():
    assert still_held(NOW + time.HOUR, NOW)
    assert not still_held(NOW, NOW)
    assert not still_held(NOW + 400 * time.DAY, NOW)
    assert not still_held(None, NOW)


def test_several_messages_are_under_way_at_the_same_time(hook, monkeypatch):
    monkeypatch.setattr(http_sender, "ATTEMPTS", 1)
    hook.script = ["hang", 200, 200]
    outcomes = sorted(answer.outcome for answer in post(hook.url, 3, timeout=1))
    assert outcomes == ["sent", "sent", "unavailable"]


def self_signed(folder):
    """A certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
