"""`pql mcp`: the verdict, the rules and the test of a rule as tools for language models, over the Model Context Protocol."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

import pql_model
from pql_model.cli.common import ConfigOption
from pql_model.errors import DataError, PqlError

Payload = dict[str, Any]

ABOUT = (
    "Which free accounts of a product will pay, which behaviours predict it, and how sure that is. Every rate has a 95 % interval "
    "and was measured on later accounts than those a rule was found on. All of it predicts paying; none of it shows what makes an "
    "account pay."
)


def mcp(
    config: ConfigOption = Path("pql.yaml"),
    accounts: Annotated[
        bool,
        typer.Option(
            "--accounts", help="Also offer `explain`, whose answers hold data of single accounts and their contacts."
        ),
    ] = False,
) -> None:
    """Serve verdict, criteria and the test of a definition to a language model, over stdio (Model Context Protocol).

    Nothing is changed by any tool. Needs `pip install 'pql-model[mcp]'`. A client starts the command itself:
    `{"command": "pql", "args": ["mcp", "-c", "/path/to/pql.yaml"]}`.
    """
    pql_model.load_config(config)  # a wrong config is said now, not at the first question
    make_server(config, accounts).run("stdio")


def make_server(config: Path, accounts: bool = False) -> Any:
    """Build the server of a product.

    Parameters
    ----------
    config
        Path of a `pql.yaml`.
    accounts
        Whether to offer `explain` too.

    Raises
    ------
    DataError
        If the extra is not installed.
    """
    try:
        from mcp.server import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
        from mcp.types import ToolAnnotations
    except ImportError as error:
        raise DataError(
            "`pql mcp` needs the package `mcp`, which is not installed", remedy="pip install 'pql-model[mcp]'"
        ) from error
    server = MCPServer("pql", instructions=ABOUT, version=pql_model.__version__, log_level="WARNING")

    def said(tool: Callable[..., Payload]) -> Callable[..., Payload]:
        """Our errors as the tool's errors: they say what is wrong and what to do."""

        @wraps(tool)
        def answer(*args: Any, **kwargs: Any) -> Payload:
            try:
                return tool(*args, **kwargs)
            except PqlError as error:
                raise ToolError(str(error)) from error

        return answer

    for tool in (*_tools(config), *([_explain(config)] if accounts else [])):
        server.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))(said(tool))
    return server


def _tools(config: Path) -> list[Callable[..., Payload]]:
    def verdict() -> Payload:
        """The trained models of the product, the newest first: may each be used, its ROC-AUC, and why it was promoted or not."""
        return pql_model.models(config).to_dict()

    def criteria() -> Payload:
        """The rules that training found and tested on later accounts, and the rule in force with its verdict."""
        payload = pql_model.list_criteria(config).to_dict()
        in_force = payload["in_force"]
        return {
            **{name: payload[name] for name in ("model", "rows", "base_rate", "entities")},
            "criteria": [_rule(rule) for rule in payload["criteria"]],
            "definitions": [{**_rule(rule), "recommended": rule["recommended"]} for rule in payload["definitions"]],
            "in_force": {**_rule(in_force), **{k: in_force[k] for k in ("verdict", "sentence")}} if in_force else None,
            "behaviours": [
                {k: b[k] for k in ("behaviour", "share", "direction", "words")} for b in payload["behaviours"]
            ],
        }

    def test_definition(definition: Payload) -> Payload:
        """What became of the accounts that met a rule, on all rows and on later ones.

        The rule has the form of `definition:` in `pql.yaml`, such as
        {"all": [{"event": "Teammate Invited", "at_least": 3, "within": "first 7d"}, {"trait": "company_size", "in": ["11-50"]}]}.
        `any` needs one condition; `at_least_k` with `of` needs k of them.
        """
        from pql_model.config.load import parse_definition

        return pql_model.test_criteria(config, parse_definition(definition, "the definition")).to_dict()

    def check_data() -> Payload:
        """How many rows are usable, which are set aside and why, and which columns know the outcome. Trains nothing."""
        return pql_model.check(config).to_dict()

    return [verdict, criteria, test_definition, check_data]


def _explain(config: Path) -> Callable[..., Payload]:
    def explain(entity: str, as_of: str | None = None) -> Payload:
        """One account: its probability, what raises and lowers it, which conditions of the rule it meets, whom to contact."""
        return pql_model.explain_entity(config, entity, as_of=as_of).to_dict()

    return explain


def _rule(rule: Payload) -> Payload:
    tested = {name: rule["tested"][name] for name in ("rows", "qualified", "conversions", "rate", "lift", "recall")}
    return {**({"id": rule["id"]} if "id" in rule else {}), "text": rule["text"], "tested_on_later_accounts": tested}
