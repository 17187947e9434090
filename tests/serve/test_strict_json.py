import gzip
import json
import time

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from pql_model.serve import strict_json
from pql_model.serve.strict_json import MAX_DEPTH, JsonError, TooManyValuesError, parse


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is empty"),
        (b" \n\t ", "The body is empty"),
        (b"{", "The body is not JSON"),
        (b"entity=acme", "The body is not JSON"),
        (b"{'entity': 'a'}", "The body is not JSON"),
        (b'{"a": 1} x', "The body is not JSON"),
        (b"\xff\xfe{\x00}\x00", "not plain JSON in UTF-8. Received: UTF-16"),
        ('{"a": "é"}'.encode("latin-1"), "The body is not UTF-8"),
        ("\ufeff{}".encode(), "not plain JSON in UTF-8. Received: a byte order mark"),
        (b"\xfe{}", "The body is not UTF-8. Received: byte 0xfe at 0"),
        (gzip.compress(b"{}", mtime=0), "not plain JSON in UTF-8. Received: gzip"),
        (b'{"a": NaN}', "a number that JSON does not allow. Received: NaN"),
        (b'{"a": -Infinity}', "a number that JSON does not allow. Received: -Infinity"),
        (b'{"a": 1e999}', "a number that is too large. Received: 1e999"),
        (b'{"a": ' + b"9" * 5000 + b"}", "an integer that is too long. Received: more than 4,300 digits"),
        (b'{"a": 1, "b": 2, "a": 1}', "Duplicate key in the JSON body. Received: a"),
        (b'{"x": [{"a": 1, "\\u0061": 2}]}', "Duplicate key in the JSON body. Received: a"),
        (b'{"a" :1, "a"\t:\n2}', "Duplicate key in the JSON body. Received: a"),
        (b'[[{}, {"b": [{"c\\":": 1, "c\\":": "a\\":"}]}]]', "Duplicate key in the JSON body. Received: c"),
        (b'{"a": "\\ud800"}', "a lone surrogate. Received: 0xd800"),
        (b'{"\\udc00": 1}', "a lone surrogate"),
        (b"[" * 33 + b"]" * 33, "nested too deeply. Received: more than 32 levels"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'[{"a":' * 17 + b"1" + b"}]" * 17, "nested too deeply"),
        (b'{"a}":' * 5000 + b"1" + b',"{b":1}' * 5000, "The body is not JSON. Received: maximum recursion depth"),
    ],
)
def test_invalid_json_is_refused(body, message):
    with pytest.raises(JsonError, match=message) as caught:
        parse(body)

    assert (caught.value.http_status, caught.value.field) == (400, "body")


def test_valid_json_is_parsed():
    assert parse(b'{"a\\":": "b\\": c :", "d" : {"a" :"e"}}') == {'a":': 'b": c :', "d": {"a": "e"}}
    assert parse(b'{"a": [1, 2.5, null, true, "\\ud83d\\ude00"]}') == {"a": [1, 2.5, None, True, "😀"]}
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    assert parse(json.dumps(["[" * 100, '"[{\\' * 100]).encode()) == ["[" * 100, '"[{\\' * 100]
    assert len(parse(b"[" + b"[1]," * 1000 + b"[1]]")) == 1001


@pytest.mark.parametrize("filler", [b'\\"', b'"', b'"\\', b"\\", b'["', b"{"])
def test_refusing_is_fast(filler):
    body = b"[" * (MAX_DEPTH + 1) + b'"' + filler * (1_000_000 // len(filler))
    began = time.perf_counter()
    with pytest.raises(JsonError, match="The body is"):
        parse(body)

    assert time.perf_counter() - began < 2


@examples(60)
@given(st.binary(max_size=40) | st.text(alphabet='[]{}",:\\u0d8e1 tn-.', max_size=40).map(str.encode))
def test_any_bytes_are_parsed_or_refused(body):
    try:
        result = parse(body)
    except JsonError:
        return
    assert result == json.loads(body)


KEYS = st.sampled_from(['"a"', '"b"', '"a\\":"', '"\\u0061"', '" :"'])
OBJECTS = st.recursive(
    st.sampled_from(["1", '"a\\":"', "[]", "{}"]),
    lambda inner: (
        st.lists(st.tuples(KEYS, st.sampled_from([":", " :", "\n: "]), inner).map("".join), max_size=3).map(
            lambda pairs: "{" + ", ".join(pairs) + "}"
        )
        | st.lists(inner, max_size=3).map(lambda some: "[" + ",".join(some) + "]")
    ),
    max_leaves=12,
)


@examples(200)
@given(OBJECTS)
def test_duplicate_keys_are_refused(text):
    twice = []
    json.loads(text, object_pairs_hook=lambda pairs: twice.append(len(dict(pairs)) < len(pairs)) or dict(pairs))
    if any(twice):
        with pytest.raises(JsonError, match="Duplicate key"):
            parse(text.encode())
    else:
        assert parse(text.encode()) == json.loads(text)


@pytest.mark.parametrize("unit", [b"{}", b"[]", b"1", b'"a"', b'{"a":[]}', '"é"'.encode()])
def test_more_values_than_a_request_can_need_are_refused_before_they_are_parsed(unit, monkeypatch):
    monkeypatch.setattr(strict_json.json, "loads", None)
    body = b"[" + b",".join([unit] * 20_000) + b"]"
    with pytest.raises(TooManyValuesError, match=r"too many values\. Received: more than 15,000 values") as error:
        parse(body, max_values=15_000)
    assert error.value.http_status == 413


def test_marks_in_strings_are_not_values():
    texts = [",{[" * 5, "a\\", '"', "é,[", ""] * 4_000
    body = json.dumps([texts], ensure_ascii=False).encode()
    assert body.count(b",") > 40_000
    assert parse(body, max_values=20_002) == [texts]
    assert parse(bytearray(body), max_values=20_002) == [texts]
    with pytest.raises(TooManyValuesError, match="too many values"):
        parse(body, max_values=20_000)


def test_depth_is_limited_behind_marks_in_strings():
    body = b'["' + b"[" * 5_000 + b'",' + b"[" * 40 + b"]" * 40 + b"]"
    with pytest.raises(JsonError, match="nested too deeply"):
        parse(body, max_values=1_000)
