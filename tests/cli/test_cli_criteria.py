"""`pql criteria test`: one JSON object or words for people, and a sentence with exit 2 for every file that is no rule."""

import json

import pytest
from products import trial_files

from pql_model.cli.app import main

RULE = "all: [{event: login, at_least: 8, within: first 5d}]"


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return trial_files(tmp_path_factory.mktemp("trial"), names=("login", "[red]upload"), accounts=300)


@pytest.fixture
def run(capsys, config, tmp_path):
    """Test a rule written as this text: exit code, stdout, stderr."""

    def run_(text, *more):
        path = tmp_path / "rule.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(SystemExit, match=r"^\d+$") as exit_info:
            main(["criteria", "test", str(path), "-c", str(config), *more])
        payload = capsys.readouterr()
        return exit_info.value.code, payload.out, payload.err

    return run_


@pytest.fixture
def refused(run):
    """The sentence of a rule that must be refused, the same on stderr and in the JSON object."""

    def refused_(text):
        code, out, err = run(text, "--json")
        assert (code, out.count("\n")) == (2, 1), err
        message = json.loads(out)["error"]["message"]
        assert " ".join(message.split()) in " ".join(err.split())
        assert "Traceback" not in err
        return message

    return refused_


def test_criteria_test_prints_one_json_object_and_progress_goes_to_stderr(run):
    code, out, err = run(RULE, "--json")
    assert (code, out.count("\n")) == (0, 1)
    payload = json.loads(out)
    assert payload["definition"]["text"] == "at least 8 `login` in the first 5 days"
    assert payload["tested"]["qualified"] > payload["later"]["qualified"] > 0
    assert "features ..." in err


def test_the_text_output_has_the_rule_its_figures_and_its_months(run):
    code, out, _ = run("any: [{event: '[red]upload', at_least: 8}, {event: login, at_least: 8}]")
    text = " ".join(out.split())
    assert code == 0
    assert "any of: at least 8 `[red]upload` so far; at least 8 `login` so far" in text
    for words in (
        "as of day 7 of the trial",
        "of 100 of them convert",
        "% of conversions caught",
        "leads a week",
        "2025-03",
        "█",
    ):
        assert words in text


def test_every_command_of_the_group_has_help(capsys):
    for arguments in (["criteria", "--help"], ["criteria", "test", "--help"]):
        with pytest.raises(SystemExit, match=r"^0$"):
            main(arguments)
    out = capsys.readouterr().out
    assert "Needs no model" in out
    assert "--config" in out
    assert "--json" in out


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "needs keys and values such as `all: [{event: login, at_least: 3}]`. Received: nothing"),
        ("# nothing yet\n", "Received: nothing"),
        ("- {event: login, at_least: 3}", "Received: list"),
        ("login >= 3", "Received: str"),
        ("all: [{event: login", "not valid YAML"),
        (b"all: [{event: l\xff, at_least: 3}]", "not UTF-8 text"),
        ("{}", "a definition has exactly one of"),
        (
            "definition:\n",
            "definition: needs keys and values such as `all: [{event: login, at_least: 3}]`. Received: nothing",
        ),
        ("all: []", "at least 1 item"),
        ("all: [{event: login, at_least: 3}]\nany: [{event: login, at_least: 3}]", "a definition has exactly one of"),
        ("all: [{event: login, at_least: 3}]\nall: [{event: login, at_least: 4}]", "given twice; keep one"),
        ("al: [{event: login, at_least: 3}]", "unknown key `al`, did you mean `all`?"),
        ("at_least_k: 3\nof: [{event: login, at_least: 3}]", "`at_least_k: 3` of only 1 conditions can never be met"),
        ("all: [{event: login, at_lest: 3}]", "unknown key `at_lest`, did you mean `at_least`?"),
        ("all: [{event: login}]", "needs `operator` with `threshold`"),
        ("all: [{event: login, at_least: often}]", "valid number"),
        ("all: [{event: login, at_least: yes}]", "a threshold is a number; YAML reads on, off, yes and no"),
        ("all: [{event: login, at_least: [3]}]", "valid number"),
        ("all: [{event: login, at_least: .nan}]", "finite number"),
        ("all: [{event: login, at_least: 3, within: 7d}]", "`7d` is not a window"),
        ("all: [{event: login, at_least: 3, within: 7}]", "`7` is not a window"),
        ("all: [{event: 12, at_least: 3}]", "valid string"),
        ("all: [{event: login, operator: '=>', threshold: 3}]", "'>='"),
        ("all: [{event: login, measure: cuont, at_least: 3}]", "did you mean `count`?"),
        ("all: [{event: any, measure: trend, at_least: 0}]", "measure `trend` needs a `last` window"),
        ("all: login", "valid list"),
        ("all: [{trait: seats, in: []}]", "at least 1 item"),
        ("all: [{event: logn, at_least: 3}]", "did you mean `login`?"),
        ("all: [{trait: seats, in: [99]}]", "No entity has `99` as trait `seats`"),
        ("all: [{event: login, at_least: 0}]", "everybody meets it"),
        ("all: [{event: any, measure: active_days, at_least: 30, within: first 7d}]", "nobody can meet it"),
    ],
)
def test_a_file_that_is_not_a_rule_for_these_data_is_refused_in_a_sentence(refused, text, sentence):
    assert sentence in refused(text)


def test_a_folder_and_a_missing_file_are_refused(capsys, config, tmp_path):
    for path, received in ((tmp_path, f"Received: {tmp_path}, which is a folder"), (tmp_path / "no.yaml", "no.yaml.")):
        with pytest.raises(SystemExit, match=r"^2$"):
            main(["criteria", "test", str(path), "-c", str(config)])
        payload = "".join(capsys.readouterr().err.split())
        assert "Thereisnodefinitionfile" in payload
        assert "".join(received.split()) in payload
