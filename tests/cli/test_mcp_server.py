"""`pql mcp`: what a language model can ask, over a client in this process and over stdio."""

from __future__ import annotations

import json
import sys

import anyio
import pytest
from mcp import Client, StdioServerParameters

from pql_model.cli.mcp_server import make_server

INVITED = {"event": "Teammate Invited", "at_least": 2, "within": "first 7d"}


def asked(server, *calls):
    """The names of the tools, and the answer of each call: (whether it is an error, text or object)."""

    async def ask():
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
            answers = [await client.call_tool(name, arguments) for name, arguments in calls]
            return tools, [(a.is_error, a.content[0].text) for a in answers]

    tools, answers = anyio.run(ask)
    return tools, [(is_error, text if is_error else json.loads(text)) for is_error, text in answers]


def test_every_tool_only_reads_and_says_what_it_answers(config):
    tools, _ = asked(make_server(config))

    assert {tool.name for tool in tools} == {"verdict", "criteria", "test_definition", "check_data"}
    assert all(tool.annotations.read_only_hint and len(tool.description) > 40 for tool in tools)


def test_account_data_are_offered_only_when_asked_for(config):
    tools, [(is_error, answer)] = asked(make_server(config, accounts=True), ("explain", {"entity": "acc-00007"}))

    assert "explain" in {tool.name for tool in tools}
    assert not is_error
    assert answer["entity"] == "acc-00007"


def test_a_rule_is_tested_as_the_command_does(config):
    definition = {"all": [INVITED, {"any": [{"event": "Export Made", "at_least": 1}, INVITED]}]}
    definition["all"][1]["any"][0]["event"] = "Report Exported"
    _, [(is_error, answer)] = asked(make_server(config), ("test_definition", {"definition": definition}))

    assert not is_error
    assert answer["tested"]["qualified"] > 0
    assert {"low", "high"} <= set(answer["tested"]["rate"])


def test_the_criteria_are_those_of_the_command_and_short_enough_to_read(config):
    _, [(_, criteria), (_, verdict)] = asked(make_server(config), ("criteria", {}), ("verdict", {}))

    assert [rule["text"] for rule in criteria["criteria"]]
    assert criteria["in_force"]["verdict"]
    assert len(json.dumps(criteria)) < 20_000
    assert verdict["models"][0]["verdict"]


def test_values_of_traits_and_figures_of_a_few_accounts_are_withheld(config):
    size = {"all": [{"trait": "company_size", "in": ["acme.example"]}]}
    one = {"all": [{"event": "Board Created", "at_least": 1}, {"event": "Teammate Invited", "at_least": 60}]}
    calls = [("test_definition", {"definition": rule}) for rule in (size, one)]
    _, [(is_error, said), (_, few)] = asked(make_server(config), *calls)
    _, [(_, listed), (_, counted)] = asked(make_server(config, accounts=True), *calls)

    assert is_error
    assert "11-50" not in said
    assert "11-50" in listed
    assert 0 < counted["tested"]["qualified"] < 10
    assert "withheld" in few["tested"]
    assert "withheld" in few["words"]


def test_a_definition_without_end_is_an_error(config):
    deep = {"event": "Board Created", "at_least": 1}
    for _ in range(120):
        deep = {"all": [deep]}
    long = {"any": [{"event": "Board Created", "at_least": n} for n in range(1, 60)]}
    _, answers = asked(make_server(config), *(("test_definition", {"definition": rule}) for rule in (deep, long)))

    assert all(is_error for is_error, _ in answers)
    assert ["too deeply" in answers[0][1], "too long" in answers[1][1]] == [True, True]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("test_definition", {"definition": {"all": [{"event": "Teammate Invitd", "at_least": 1}]}}, "Teammate Invited"),
        ("test_definition", {"definition": {"al": []}}, "all"),
        ("test_definition", {"definition": {}}, "the definition"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(config, tool, arguments, said):
    _, [(is_error, text)] = asked(make_server(config), (tool, arguments))

    assert is_error
    assert said in text


def test_over_stdio_nothing_but_the_protocol_is_on_stdout(config):
    command = StdioServerParameters(command=sys.executable, args=["-m", "pql_model", "mcp", "-c", str(config)])
    tools, [(is_error, answer)] = asked(command, ("check_data", {}))

    assert len(tools) == 4
    assert not is_error
    assert answer["entities"] > 0
