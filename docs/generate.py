"""Writes the reference pages that follow from the code (commands, config, features, Python); a test compares them.

python docs/generate.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import pql_model
from pql_model.cli.app import app
from pql_model.config.load import config_json_schema
from pql_model.config.text_format import TextFormat
from pql_model.features.spec import Feature
from pql_model.measures import MEASURES
from pql_model.sources.crm_tables import CRM_REASONS
from pql_model.sources.events import REASONS
from pql_model.sources.payments import PAYMENT_REASONS
from pql_model.time import DURATION_HELP, WINDOW_HELP, Window

HERE = Path(__file__).resolve().parent
_FEATURES = (
    Feature("Teammate Invited", "count", Window.parse("first 7d")),
    Feature("File Uploaded", "sum", Window.parse("last 14d"), "megabytes"),
    Feature("any", "active_days", Window.parse("first 14d")),
    Feature("any", "trend", Window.parse("last 7d")),
)


def features_page() -> str:
    """Write the page of all measures and the names of features."""
    lines = [
        "# Features",
        "",
        "A feature is an event, a measure and a window. Its column name, its English text and its declaration are three views "
        "of one object: `pql_model.parse_feature(name)` reads the feature back from its name.",
        "",
        "| column | in English |",
        "|---|---|",
        *[f"| `{feature.name}` | {feature.text} |" for feature in _FEATURES],
        "",
        f"Windows: {WINDOW_HELP}, where the length is {DURATION_HELP}. They are half-open and never reach beyond `as_of`. "
        "`event: any` stands for all events of the entity.",
        "",
        "| measure | of | unit | when nothing happened | meaning |",
        "|---|---|---|---|---|",
        *[
            f"| `{m.name}` | {_SCOPES[m.scope]} | {m.unit} | {'missing' if m.empty is None else f'{m.empty:g}'} | {m.meaning} |"
            for m in MEASURES.values()
        ],
        "",
        "Days are UTC days. For a pre-counted table (`counts`, `users`), `distinct_users` is the largest number in a single "
        "row, because users of different rows cannot be added. Sums have 12 significant digits relative to the sum of absolute "
        "values, so values that cancel give 0. Without a sign-up time, features of `first` windows and features that count from "
        "the sign-up are missing.",
        "",
        "The exact definition is `pql_model/features/oracle.py`.",
        "",
    ]
    return "\n".join(lines)


_SCOPES = {"event": "an event", "entity": "`any`", "both": "an event or `any`"}


def config_page() -> str:
    """Write the page of all keys of the config."""
    schema = config_json_schema()
    lines = [
        "# `pql.yaml`",
        "",
        "One file describes a product. Unknown keys are refused with the nearest valid name, and all errors are reported at once, "
        "each with its line. Paths start from the file's folder. `pql schema` prints the JSON schema for editors; `pql init` writes "
        "a first file from your data.",
        "",
        f"Durations are {DURATION_HELP}. Dates without a time mean midnight UTC; times without an offset are UTC; a column in "
        "which some times state their offset and some do not is refused.",
        "",
        *_section(schema, schema["$defs"]),
    ]
    for name, title in _TITLES.items():
        definition = schema["$defs"][name]
        about = definition.get("description", "").split("\n\n")[0].replace("\n", " ")
        lines += [f"## {title}", "", *([about, ""] if about else []), *_section(definition, schema["$defs"])]
    lines += ["## Rows that are set aside", "", "Each row has one reason, the first that applies:", ""]
    lines += [f"{number}. `{reason}`: {words}" for number, (reason, words) in enumerate(REASONS.items(), 1)]
    lines += ["", "A readable row of the conversions may also not be a payment ([which rows count](labels.md)):", ""]
    lines += [f"- `{reason}`: {words}" for reason, words in PAYMENT_REASONS.items()]
    lines += ["", "A row of the feedback or of the stages may also be set aside as:", ""]
    lines += [f"- `{reason}`: {words}" for reason, words in CRM_REASONS.items()]
    return "\n".join([*lines, ""])


_TITLES = {
    "EventTable": "`events`",
    "EventColumns": "`events[].columns`",
    "EntityTable": "`entities`",
    "EntityColumns": "`entities.columns`",
    "EarlierTable": "`entities.earlier`",
    "ConversionTable": "`conversions`",
    "ConversionColumns": "`conversions.columns`",
    "FeedbackTable": "`feedback`",
    "FeedbackColumns": "`feedback.columns`",
    "Meanings": "`feedback.means`",
    "StageTable": "`stages`",
    "StageColumns": "`stages.columns`",
    "RowFilter": "`where`",
    "Snapshots": "`snapshots`",
    "Windows": "`windows`",
    "Exclude": "`exclude`",
    "Definition": "`definition`",
    "Criterion": "Conditions of a definition",
    "Policy": "`policy`",
    "Capacity": "`policy.capacity`",
    "Offer": "`offer`",
    "OwnFeature": "`features`",
    "DatedKeys": "`features[].columns`",
    "ModelSettings": "`model`",
    "LightGBMParams": "`model.params`",
    "LightGBMSearch": "`model.search`",
    "ScoreLogTarget": "`score_log`",
    "WebhookTarget": "`sync`, kind `webhook`",
    "SlackTarget": "`sync`, kind `slack`",
    "NotifyTarget": "`sync`, kind `notify`",
    "TableTarget": "`sync`, kind `table`",
    "FileTarget": "`sync`, kind `file`",
    "HubSpotTarget": "`sync`, kind `hubspot`",
    "SalesforceTarget": "`sync`, kind `salesforce`",
}


def _section(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    required = set(schema.get("required", []))
    rows = []
    keys = sorted(schema["properties"], key=lambda key: key in TextFormat.model_fields)  # what is rarely needed, last
    for key in keys:
        field = schema["properties"][key]
        default = "required" if key in required else _default(field)
        rows.append(f"| `{key}` | {_type(field, definitions)} | {default} | {field.get('description', '')} |")
    return ["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""]


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, [], {}) else f"`{default}`".lower() if isinstance(default, bool) else f"`{default}`"


def _type(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return f"see {_TITLES.get(name, name)}"
    if "anyOf" in field:
        return " or ".join(_type(part, definitions) for part in field["anyOf"] if part.get("type") != "null")
    if "oneOf" in field:
        return "targets, each of one `kind`, see below"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`".lower() if value is False else f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}), definitions)}".replace("list of see", "list, see")
    if field.get("pattern", "").startswith("^(first"):
        return "window"
    if field.get("pattern", "").startswith(r"^\d+[smhdw]"):
        return "duration"
    names = {
        "string": "text",
        "object": "name: column",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
    }
    if choices := field.get("additionalProperties", {}) and field["additionalProperties"].get("enum"):
        return f"name: {' or '.join(f'`{choice}`' for choice in choices)}"
    inner = field.get("additionalProperties") or {}
    if filters := [part for part in inner.get("anyOf", ()) if "$ref" in part]:
        return f"column: list of values, or {_type(filters[0], definitions)}"
    if field.get("type") == "object" and inner.get("type") in ("number", "array"):
        return f"name: {_type(inner, definitions)}"
    kinds = field.get("type", "string")
    known = [names[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind in names]
    return "date or time" if field.get("format") == "date-time" else " or ".join(known)


def commands_page() -> str:
    """Write the page of all commands with their options, as `--help` has them."""
    lines = [
        "# Commands",
        "",
        "Every command has `--help`, and all but `serve`, `mcp` and `schema` have `--json`, which prints one JSON object on stdout and everything else on "
        "stderr. Commands read `pql.yaml` in the present folder unless `--config` (`-c`) names another. Exit codes: 0 success, 1 a bug in pql or a "
        "difference found by `verify` or `replay`, 2 invalid usage, config or data, 3 `pql monitor` found what `--fail-on` names.",
        "",
    ]
    for name, command in _commands(typer.main.get_command(app), "pql"):
        lines += [f"## `{name}`", "", *_help(command.help), ""]
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [
            p for p in command.params if p.param_type_name == "option" and p.name not in ("as_json", "config", "help")
        ]
        rows = [f"| `{(p.name or '').upper()}` | | {_cell(getattr(p, 'help', ''))} |" for p in arguments]
        rows += [f"| `{', '.join([*p.opts, *p.secondary_opts])}` | {_given(p)} | {_cell(p.help)} |" for p in options]
        lines += ["| option | default | meaning |", "|---|---|---|", *rows, ""] if rows else []
    return "\n".join(lines)


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _help(text: str | None) -> list[str]:
    return inspect.cleandoc(text or "").splitlines()


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _given(option: Any) -> str:
    default = option.default
    if option.required or default in (None, (), [], False):
        return "required" if option.required else ""
    return "yes" if default is True else f"`{default}`"


def python_page() -> str:
    """Write the page of all public names."""
    lines = [
        "# Python",
        "",
        "Everything that the command line does, under the same names. `import pql_model` loads nothing heavy: each name loads what it needs when "
        "it is first used.",
        "",
    ]
    public = {name: getattr(pql_model, name) for name in pql_model.__all__}
    for title, kind in (("Functions", "function"), ("Classes", "class")):
        names = [name for name, value in public.items() if inspect.isclass(value) == (kind == "class")]
        lines += [f"## {title}", "", "```{eval-rst}", ".. currentmodule:: pql_model", ""]
        for name in names:
            lines += [
                f".. auto{kind}:: {name}",
                *(["   :members:"] if kind == "class" and name in _WITH_MEMBERS else []),
                "",
            ]
        lines += ["```", ""]
    return "\n".join(lines)


_WITH_MEMBERS = ("Learner", "Predictor")
"""Classes that others implement; of the others the attributes are in the docstring."""


def llms_page() -> str:
    """Write the list of pages for language models (https://llmstxt.org): each page of the contents with its first sentence."""
    index = (HERE / "index.md").read_text(encoding="utf-8")
    about = index.split("\n\n")[1].replace("\n", " ")
    lines = [f"# {index.splitlines()[0].removeprefix('# ')}", "", f"> {about}", ""]
    for block in index.split("```{toctree}")[1:]:
        entries = block.split("```")[0].splitlines()
        caption = next(line.removeprefix(":caption: ") for line in entries if line.startswith(":caption: "))
        lines += [f"## {caption}", ""]
        for entry in (line for line in entries if line and not line.startswith(":")):
            title, sentence = _beginning(entry)
            lines.append(f"- [{title}]({entry}.md)" + (f": {sentence}" if sentence else ""))
        lines.append("")
    return "\n".join(lines)


def _beginning(entry: str) -> tuple[str, str]:
    """The title of a page and its first sentence."""
    text = GENERATED[entry]() if entry in GENERATED else (HERE / f"{entry}.md").read_text(encoding="utf-8")
    if included := re.match(r"```{include} (\S+)", text):
        text = (HERE / included[1]).read_text(encoding="utf-8")
    title, *rest = (part for part in text.split("\n\n") if part.strip())
    prose = next((part for part in rest if part[0].isalpha() or part[0] in "`*"), "")
    plain = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", " ".join(prose.split()))
    return title.removeprefix("# ").strip(), re.split(r"(?<=[.?!]) ", plain)[0].rstrip(":") if not prose.startswith(
        "```"
    ) else ""


GENERATED = {"commands": commands_page, "config": config_page, "features": features_page, "python": python_page}


def pages() -> dict[str, str]:
    """File name -> content."""
    return {f"{name}.md": page() for name, page in GENERATED.items()} | {"llms.txt": llms_page()}


if __name__ == "__main__":
    for file, content in pages().items():
        (HERE / file).write_text(content, encoding="utf-8")
