"""Bots and excluded users, and users who only look like bots."""

from __future__ import annotations

import pyarrow as pa
import pytest
from staging import EVENTS, log, read_shop


def counted(home, *rows, **keys):
    """The reasons of a log, beside one row that is fine."""
    return read_shop(home, log("a,u,login,2026-01-10", *rows), **keys).set_aside


BOTS = (
    *("googlebot", "uptime-bot", "bot_17", "bot", "Bots", "[bot]", "renovate[bot]", "bot@acme.com"),
    *("web-crawler", "BingBot", "robot 7", "pingdom", "health-check", "synthetic"),
)
PEOPLE = (
    *("talbot", "abbot", "robotnik", "botany", "jane@talbot.com", "jane@bot.io", "abbott_17", "lobotomy", "u_bo_t"),
    *("spiderman", "Elliot"),
)
"""Their names contain the letters."""
AGENTS = {
    "Mozilla/5.0 (compatible; Googlebot/2.1)": True,
    "curl/8.1": True,
    "HeadlessChrome/120": True,
    "python-requests/2.31": True,
    "Mozilla/5.0 (Macintosh) Safari/605": False,
    "": False,
}
"""User agent -> whether it marks a bot."""


class TestBots:
    def test_users_named_like_bots_are_bots_and_those_whose_names_contain_the_letters_are_not(self, tmp_path):
        rows = [f"a,{user},login,2026-01-10" for user in (*BOTS, *PEOPLE)]
        product = read_shop(tmp_path, log(*rows), max_set_aside=1)

        assert {event["user"] for event in product.events} == set(PEOPLE)
        assert product.set_aside == {"bot": len(BOTS)}

    def test_user_agents_can_mark_bots(self, tmp_path):
        header = "account,person,action,at,user_agent\n"
        rows = [f"a,u{i},login,2026-01-10,{agent}" for i, agent in enumerate(AGENTS)]
        product = read_shop(tmp_path, log(*rows, header=header), max_set_aside=1)

        people = {f"u{i}" for i, is_bot in enumerate(AGENTS.values()) if not is_bot}
        assert {event["user"] for event in product.events} == people
        assert product.set_aside == {"bot": sum(AGENTS.values())}

    def test_column_of_user_agents_can_be_mapped(self, tmp_path):
        header = "account,person,action,at,ua\n"
        columns = {"entity": "account", "user": "person", "event": "action", "time": "at", "user_agent": "ua"}
        rows = log("a,u,login,2026-01-10,Firefox", "a,u,login,2026-01-10,curl/8", header=header)

        assert read_shop(tmp_path, rows, log={"columns": columns}).set_aside == {"bot": 1}

    @pytest.mark.parametrize(
        ("said", "bots"),
        [(["true", "false", ""], 1), (["True", "False", None], 1), (["1", "0", "0"], 1), (["yes", "no", "t"], 2)],
    )
    def test_column_can_mark_bots(self, tmp_path, said, bots):
        header = "account,person,action,at,is_bot\n"
        rows = [f"a,u,login,2026-01-10,{word or ''}" for word in [*said, "no"]]

        assert read_shop(tmp_path, log(*rows, header=header)).set_aside == {"bot": bots}

    @pytest.mark.parametrize("column", [pa.array([True, False, None]), pa.array([1.0, 0.0, None]), pa.array([1, 0, 0])])
    def test_the_column_of_bots_may_be_typed(self, tmp_path, column):
        given = {
            "account": ["a"] * 3,
            "person": ["u"] * 3,
            "action": ["x"] * 3,
            "at": ["2026-01-10"] * 3,
            "Is_Bot": column,
        }

        assert read_shop(tmp_path, given).set_aside == {"bot": 1}

    def test_mapped_column_called_bot_does_not_mark_bots(self, tmp_path):
        columns = {"entity": "account", "user": "bot", "event": "action", "time": "at"}
        rows = log("a,1,login,2026-01-10", header="account,bot,action,at\n")

        assert read_shop(tmp_path, rows, log={"columns": columns}).set_aside == {}

    def test_bots_can_be_included(self, tmp_path):
        assert counted(tmp_path, "a,googlebot,login,2026-01-10", exclude={"bots": False}) == {}

    def test_where_users_convert_the_entity_itself_may_be_a_bot(self, tmp_path):
        rows = "who,what,at\na,login,2026-01-10\ngooglebot,login,2026-01-10\n"
        accounts = "account,signed_up\na,2026-01-05\ngooglebot,2026-01-05\n"
        columns = {"entity": "who", "event": "what", "time": "at"}
        keys = {"entity": "user", "log": {"columns": columns}}

        assert read_shop(tmp_path, rows, accounts, **keys).set_aside == {"bot": 1}

    def test_where_users_convert_an_event_that_names_no_user_was_done_by_the_entity(self, tmp_path):
        accounts = "account,signed_up\na,2026-01-05\ngooglebot,2026-01-05\n"
        rows = log(
            "a,u,login,2026-01-10", "a,,login,2026-01-10", "googlebot,,login,2026-01-10", "googlebot,u,x,2026-01-10"
        )

        assert read_shop(tmp_path, rows, accounts, entity="user").set_aside == {"bot": 1}


class TestExcludedUsers:
    def test_their_events_are_set_aside(self, tmp_path):
        rows = ["a,u1,login,2026-01-10", "a, u1 ,login,2026-01-11", "a,u2,login,2026-01-10", "a,,login,2026-01-10"]

        assert counted(tmp_path, *rows, exclude={"users": ["u1"]}) == {"excluded_user": 2}

    def test_number_in_the_config_matches_the_id(self, tmp_path):
        given = {"account": ["a"] * 2, "person": [17.0, 18.0], "action": ["x"] * 2, "at": ["2026-01-10"] * 2}

        assert read_shop(tmp_path, given, exclude={"users": [17]}).set_aside == {"excluded_user": 1}

    def test_where_users_convert_the_entity_is_the_user(self, tmp_path):
        columns = {"entity": "account", "event": "action", "time": "at"}
        keys = {"entity": "user", "exclude": {"users": ["a"]}, "log": {"columns": columns}}

        assert read_shop(tmp_path, EVENTS, **keys).set_aside == {"excluded_user": 5}

    def test_exclusion_without_a_user_column_warns(self, tmp_path):
        columns = {"entity": "account", "event": "action", "time": "at"}
        product = read_shop(tmp_path, exclude={"users": ["u1"]}, log={"columns": columns})

        assert product.sources.warnings == ("`exclude.users` has no effect: no table of events maps `columns.user`.",)
