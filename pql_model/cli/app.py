"""The command line: a thin translation of the public door into words and exit codes.

Exit codes: 0 success, 1 a bug in pql, 2 invalid usage, config or data.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import pql_model
from pql_model.cli.common import (
    AnyModelOption,
    AsOfOption,
    ConfigOption,
    CutoffsOption,
    EveryOption,
    ExplorerOption,
    FoldTrialsOption,
    JsonOption,
    ModelOption,
    PromoteOption,
    ReportOption,
    ScoresOption,
    TimeoutOption,
    TrialsOption,
    err,
    out,
    printed,
)
from pql_model.cli.criteria import criteria
from pql_model.cli.progress import Bars
from pql_model.cli.replay import replay
from pql_model.cli.run import run_app, stop
from pql_model.cli.serving import export, serve, verify

app = typer.Typer(
    name="pql",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Which free accounts will pay, which behaviours predict it, and why.\n\nStart with `pql demo`, then `pql init` on your own data.",
)
app.add_typer(criteria, name="criteria")


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Where to write the demo's data and results.")] = Path(
        "pql-demo"
    ),
    accounts: Annotated[int, typer.Option(min=300, help="How many accounts the made-up product has.")] = 4000,
    trials: TrialsOption = 30,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another product.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Make a small product with a known truth, train on it, score it, and compare."""
    from pql_model.cli import show
    from pql_model.workflows.demo import demo as run

    with Bars(err) as bars:
        result = run(directory, accounts=accounts, seed=seed, trials=trials, listener=bars)
    payload = result.to_dict()
    if printed(payload, as_json):
        return
    show.show_train(out, payload["train"])
    show.show_score(out, payload["score"], _best(result.scored))
    show.show_comparison(out, payload["truth"]["comparison"])
    _show_next_steps(result.folder, result.trained.promotion.promoted)


def _show_next_steps(folder: Path, promoted: bool) -> None:
    """What can be looked at now, and how to continue with other data."""
    config, store = folder / "pql.yaml", folder / "mlflow.db"
    lines = (
        f"Results are in {folder}. Look at them with:",
        f"  pql report -c {config}",
        f"  pql explain acc-00007 -c {config}{'' if promoted else ' --model challenger'}",
        f"  mlflow ui --backend-store-uri sqlite:///{store}",
        "Your own data:",
        "  pql init --events events.parquet --entities accounts.csv --conversions subscriptions.csv",
    )
    out.print()
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command()
def init(
    events: Annotated[
        list[str], typer.Option("--events", help="A file or glob of events; give it several times for several tables.")
    ],
    more: Annotated[
        list[str] | None, typer.Argument(help="Further files of events, as when the shell has expanded a glob.")
    ] = None,
    entities: Annotated[str | None, typer.Option(help="The file of accounts (or users): who can convert.")] = None,
    conversions: Annotated[str | None, typer.Option(help="The file of payments: who did, and when.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write.")] = Path("pql.yaml"),
    name: Annotated[str | None, typer.Option(help="The product's name; default: the folder's.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at the data and write `pql.yaml`, asking nothing. Knows Segment, PostHog, Amplitude, Mixpanel, Snowplow, GA4 and Stripe exports."""
    result = pql_model.init([*events, *(more or [])], entities, conversions, output=output, name=name, force=force)
    if printed(result.to_dict(), as_json):
        return
    for note in result.notes:
        out.print(f"- {note}", highlight=False, markup=False)
    out.print(f"\nWrote {result.path}. Read it, correct it, then run `pql check`.", highlight=False, markup=False)


@app.command()
def check(config: ConfigOption = Path("pql.yaml"), as_json: JsonOption = False) -> None:
    """Count what can be used and what cannot, by reason and week, and look for leaks. Trains nothing.

    Where nothing could be trained (no conversions, too short a history) the counts are shown all the same, then the
    reason, and the exit code is 2.
    """
    from pql_model.cli import show

    with Bars(err) as bars:
        result = pql_model.check(config, listener=bars)
    payload = result.to_dict()
    if not printed(payload, as_json):
        show.show_check(out, payload)
    if result.error is not None:
        stop(result.error)


@app.command()
def train(
    config: ConfigOption = Path("pql.yaml"),
    trials: TrialsOption = 30,
    timeout: TimeoutOption = None,
    promote: PromoteOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train, test on later accounts, register in MLflow, and promote what is better."""
    from pql_model.cli import show

    with Bars(err) as bars:
        payload = pql_model.train(config, trials=trials, timeout=timeout, promote=promote, listener=bars).to_dict()
    if not printed(payload, as_json):
        show.show_train(out, payload)


@app.command()
def backtest(
    config: ConfigOption = Path("pql.yaml"),
    cutoffs: CutoffsOption = None,
    every: EveryOption = None,
    trials: FoldTrialsOption = 10,
    as_json: JsonOption = False,
) -> None:
    """Had we retrained it at past cut-offs and used each model until the next one: what would it have been worth?

    For a cut-off D the model learns only from snapshots with as_of + horizon <= D, whose outcome was final then; which
    events are offered, the audit, tuning and calibration see nothing later either. Scored are the snapshots from D until
    the next cut-off (the last one: as long as the one before it; a single one: one horizon) whose outcome is final by now.
    A run that was broken off goes on with its finished folds when the same command is given again.
    """
    from pql_model.cli.show_backtest import show_backtest

    with Bars(err) as bars:
        payload = pql_model.backtest(config, cutoffs=cutoffs, every=every, trials=trials, listener=bars).to_dict()
    if not printed(payload, as_json):
        show_backtest(out, payload)


@app.command()
def score(
    config: ConfigOption = Path("pql.yaml"),
    as_of: AsOfOption = None,
    output: ScoresOption = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """Score everyone at risk and write the rows, with reasons."""
    from pql_model.cli import show

    with Bars(err) as bars:
        result = pql_model.score(config, as_of=as_of, output=output, model=model, listener=bars)
    if not printed(result.to_dict(), as_json):
        show.show_score(out, result.to_dict(), _best(result))


@app.command()
def explain(
    entity: Annotated[str, typer.Argument(help="The id of an account (or user), as in the entities table.")],
    config: ConfigOption = Path("pql.yaml"),
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Explain as of this date or time; default: the newest event of the data."),
    ] = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """One entity in words: its probability, what speaks for it and against it, and what the definition in force misses.

    What is shown predicts paying; whether it brings paying about, only an experiment can tell. Who is not at risk is
    explained all the same, with the reason beside it.
    """
    from pql_model.cli.show_explain import show_explain

    with Bars(err) as bars:
        payload = pql_model.explain_entity(config, entity, as_of=as_of, model=model, listener=bars).to_dict()
    if not printed(payload, as_json):
        show_explain(out, payload)


@app.command()
def report(
    config: ConfigOption = Path("pql.yaml"),
    output: ReportOption = None,
    model: AnyModelOption = None,
    explorer: ExplorerOption = "counts",
    as_json: JsonOption = False,
) -> None:
    """Write the growth report: which behaviours go with paying, which rule to use, and how sure that is.

    One HTML file that loads nothing and holds no names. It says what was found when the model was trained.
    """
    payload = pql_model.write_report(config, output=output, model=model, explorer=explorer).to_dict()
    if not printed(payload, as_json):
        out.print(
            f"Wrote {payload['output']} ({payload['bytes'] / 1024:.0f} KB). Open it in a browser.",
            highlight=False,
            markup=False,
        )


@app.command()
def models(config: ConfigOption = Path("pql.yaml"), as_json: JsonOption = False) -> None:
    """List the trained versions: verdict, ROC-AUC, which is champion, since when, and why."""
    from pql_model.cli.show_models import show_models

    payload = pql_model.models(config).to_dict()
    if not printed(payload, as_json):
        show_models(out, payload)


@app.command()
def rollback(
    config: ConfigOption = Path("pql.yaml"),
    to: Annotated[
        str | None, typer.Option(help="A version number, see `pql models`; default: the champion before this one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make the previous champion champion again. Twice goes back two champions; nothing is deleted."""
    with Bars(err) as bars:
        payload = pql_model.rollback(config, to=to, listener=bars).to_dict()
    if not printed(payload, as_json):
        out.print(payload["words"], highlight=False, markup=False)


app.command()(export)
app.command()(serve)
app.command()(verify)
app.command()(replay)


@app.command()
def schema() -> None:
    """Print the JSON schema of `pql.yaml`, for editors."""
    from pql_model.config.load import config_json_schema

    sys.stdout.write(json.dumps(config_json_schema(), indent=2) + "\n")


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        sys.stdout.write(f"pql-model {pql_model.__version__}\n")
        raise typer.Exit


def _best(scored: Any, most: int = 5) -> list[dict[str, Any]]:
    rows = scored.rows.head(most).to_dict("records")
    return [{**row, "why": "; ".join(reason["words"] for reason in json.loads(row["reasons"]))} for row in rows]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    run_app(app, "pql", arguments)
