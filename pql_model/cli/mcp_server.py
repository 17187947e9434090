"""`pql mcp`: the verdict, the rules and the test of a rule as tools for language models, over the Model Context Protocol."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import pql_model
from pql_model.cli.common import ConfigOption
from pql_model.errors import DataError, PqlError

if TYPE_CHECKING:
    from pql_model.config.definition import Definition

Payload = dict[str, Any]

ABOUT = (
    "Which free accounts of a product will pay, which behaviours predict it, and how sure that is. Every rate has a 95 % interval. "
    "Rely on the figures of later accounts, which the search for rules did not use. All of it predicts paying; none of it shows what "
    "makes an account pay."
)
LEAST_SHOWN = 10
"""Figures of fewer accounts, or of all but fewer, are withheld where single accounts must not be asked for."""
MOST_CONDITIONS = 50


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
            except RecursionError as error:
                raise ToolError("The request is nested too deeply.") from error

        return answer

    for tool in (*_tools(config, accounts), *([_explain(config)] if accounts else [])):
        server.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))(said(tool))
    return server


def _tools(config: Path, accounts: bool) -> list[Callable[..., Payload]]:
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

        rule = parse_definition(definition, "the definition")
        if len(rule.criteria) > MOST_CONDITIONS:
            raise DataError(
                "The definition is too long", received=f"{len(rule.criteria)} conditions", allowed=f"{MOST_CONDITIONS}"
            )
        if accounts:
            return pql_model.test_criteria(config, rule).to_dict()
        return _without_single_accounts(rule, lambda: pql_model.test_criteria(config, rule).to_dict())

    def check_data() -> Payload:
        """How many rows are usable, which are set aside and why, and which columns know the outcome. Trains nothing."""
        return pql_model.check(config).to_dict()

    return [verdict, criteria, test_definition, check_data]


def _without_single_accounts(rule: Definition, test: Callable[[], Payload]) -> Payload:
    """The test of a rule without values of traits, which may be those of one account, and without figures of a few accounts."""
    about_traits = any(criterion.traits for criterion in rule.criteria)
    try:
        payload = test()
    except DataError as error:
        if not about_traits:
            raise
        raise DataError(
            "The rule cannot be tested: a condition on a trait lists only values that no account has, or compares one without numbers",
            remedy="use values that the criteria name; values are listed only with `--accounts`",
        ) from error
    few = f"withheld: it is about fewer than {LEAST_SHOWN} accounts, or about all but fewer"
    for part in ("tested", "earlier", "later"):
        if payload[part] is not None and _is_of_few(payload[part]):
            payload[part] = few
    if few in (payload["tested"], payload["later"], payload["earlier"]):
        payload["words"] = few
    return {**payload, "notes": [] if about_traits else payload["notes"]}


def _is_of_few(metrics: Payload) -> bool:
    qualified, rows = int(metrics["qualified"]), int(metrics["rows"])
    return 0 < qualified < LEAST_SHOWN or 0 < rows - qualified < LEAST_SHOWN


def _explain(config: Path) -> Callable[..., Payload]:
    def explain(entity: str, as_of: str | None = None) -> Payload:
        """One account: its probability, what raises and lowers it, which conditions of the rule it meets, whom to contact."""
        return pql_model.explain_entity(config, entity, as_of=as_of).to_dict()

    return explain


def _rule(rule: Payload) -> Payload:
    tested = {name: rule["tested"][name] for name in ("rows", "qualified", "conversions", "rate", "lift", "recall")}
    return {**({"id": rule["id"]} if "id" in rule else {}), "text": rule["text"], "tested_on_later_accounts": tested}
