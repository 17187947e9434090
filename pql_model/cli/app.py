"""The command line: a thin translation of the public door into text and exit codes.

Exit codes: 0 success, 1 a bug in pql, 2 invalid usage, config or data, 3 `pql monitor` found what `--fail-on` names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

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
    NearMissesOption,
    PromoteOption,
    RefitOption,
    ReportOption,
    ScoresOption,
    TimeoutOption,
    TrialsOption,
    emit,
    err,
)
from pql_model.cli.criteria import criteria
from pql_model.cli.features import features
from pql_model.cli.forecast import forecast
from pql_model.cli.forget import forget
from pql_model.cli.funnel import funnel
from pql_model.cli.leads import leads
from pql_model.cli.ledger import ledger
from pql_model.cli.mcp_server import mcp
from pql_model.cli.monitor import monitor
from pql_model.cli.outreach import effect, feedback
from pql_model.cli.progress import Bars
from pql_model.cli.replay import replay
from pql_model.cli.run import run_app, stop
from pql_model.cli.serving import export, serve, verify
from pql_model.cli.show import show_check, show_comparison, show_score, show_train
from pql_model.cli.show_backtest import show_backtest
from pql_model.cli.show_explain import show_explain
from pql_model.cli.show_models import show_models
from pql_model.cli.simulate import simulate
from pql_model.cli.sync import sync
from pql_model.cli.tables import say

app = typer.Typer(
    name="pql",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Which free accounts will pay, which behaviours predict it, and why.\n\nStart with `pql demo`, then `pql init` on your own data.\n\nExit codes: 0 success, 1 a bug in pql, 2 invalid usage, config or data, 3 `pql monitor` found what `--fail-on` names.",
)
app.add_typer(criteria, name="criteria")


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("--dir", help="Folder for the demo's data and results.")] = Path(
        "pql-demo"
    ),
    accounts: Annotated[int, typer.Option(min=300, help="Number of accounts to simulate.")] = 4000,
    trials: TrialsOption = 30,
    seed: Annotated[int, typer.Option(min=0, help="Random seed. Another seed gives another product.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Simulate a small product with a known truth, train on it, score it, and compare."""
    from pql_model.workflows.demo import demo as run

    with Bars(err) as bars:
        result = run(directory, accounts=accounts, seed=seed, trials=trials, listener=bars)

    def show(console: Console, payload: dict[str, Any]) -> None:
        show_train(console, payload["train"])
        show_score(console, payload["score"], _best(result.scored))
        show_comparison(console, payload["truth"]["comparison"])
        _show_next_steps(console, result.folder, payload["score"]["as_of"], result.trained.promotion.promoted)

    emit(result, as_json, show)


def _show_next_steps(console: Console, folder: Path, as_of: str, promoted: bool) -> None:
    """Print what to look at next, and how to continue with other data."""
    config, store = folder / "pql.yaml", folder / "mlflow.db"
    model = "" if promoted else " --model challenger"
    lines = (
        f"Results are in {folder}. Look at them with:",
        f"  {folder / 'leads.html'}, the list of leads, in a browser",
        f"  pql report -c {config}",
        f"  pql explain acc-00007 -c {config}{model}",
        f"  pql score --as-of {as_of} -c {config}{model}   # the day of these scores: later, the demo's last trials are over",
        f"  mlflow ui --backend-store-uri sqlite:///{store}",
        "Your own data:",
        "  pql init --events events.parquet --entities accounts.csv --conversions subscriptions.csv",
    )
    console.print()
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)  # a command must stay on one line


@app.command()
def init(
    events: Annotated[
        list[str], typer.Option("--events", help="File or glob of events. Repeat it for several tables.")
    ],
    more_events: Annotated[
        list[str] | None, typer.Argument(help="More files of events, for a glob that the shell has expanded.")
    ] = None,
    entities: Annotated[str | None, typer.Option(help="File of the accounts (or users) that can convert.")] = None,
    conversions: Annotated[str | None, typer.Option(help="File of payments: who paid, and when.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("pql.yaml"),
    name: Annotated[str | None, typer.Option(help="Name of the product. Default: the name of the folder.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a `pql.yaml` for your data without asking questions.

    Recognises exports of Segment, PostHog, Amplitude, Mixpanel, Snowplow and GA4; of Stripe, Chargebee, Paddle and
    Recurly; of HubSpot, Salesforce and Pipedrive. What the data cannot tell is printed as a question.
    """
    tables = [*events, *(more_events or [])]
    result = pql_model.init(tables, entities, conversions, output=output, name=name, force=force)

    def show(console: Console, _: dict[str, Any]) -> None:
        for note in result.notes:
            say(console, f"- {note}")
        for question in result.questions:
            say(console, f"Question: {question}")
        say(console, f"Wrote {result.path}. Read it, correct it, then run `pql check`.", gap=True)

    emit(result, as_json, show)


@app.command()
def check(config: ConfigOption = Path("pql.yaml"), as_json: JsonOption = False) -> None:
    """Count usable and unusable rows, by reason and week, and audit for leakage. Trains nothing.

    Where training is not possible (no conversions, too short a history), the counts are still shown, followed
    by the reason, and the exit code is 2.
    """
    with Bars(err) as bars:
        result = pql_model.check(config, listener=bars)
    emit(result, as_json, show_check)
    if result.error is not None:
        stop(result.error)


@app.command()
def train(
    config: ConfigOption = Path("pql.yaml"),
    trials: TrialsOption = 30,
    timeout: TimeoutOption = None,
    promote: PromoteOption = "auto",
    refit: RefitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train, test on later accounts, register in MLflow, and promote the model if it is better."""
    with Bars(err) as bars:
        result = pql_model.train(config, trials=trials, timeout=timeout, promote=promote, refit=refit, listener=bars)
    emit(result, as_json, show_train)


@app.command()
def backtest(
    config: ConfigOption = Path("pql.yaml"),
    cutoffs: CutoffsOption = None,
    every: EveryOption = None,
    trials: FoldTrialsOption = 10,
    as_json: JsonOption = False,
) -> None:
    """Measure what the model would have been worth, had it been retrained at past cut-offs.

    For a cut-off D, the model is trained only on snapshots with as_of + horizon <= D, whose outcome was final by then.
    The choice of events, the audit, tuning and calibration use nothing later either. Each model scores the snapshots
    from its cut-off up to the next one, as far as their outcome is final today. The last model is used as long as the
    one before it, a single one for one horizon. Re-running the same command resumes an interrupted run.
    """
    with Bars(err) as bars:
        result = pql_model.backtest(config, cutoffs=cutoffs, every=every, trials=trials, listener=bars)
    emit(result, as_json, show_backtest)


@app.command()
def score(
    config: ConfigOption = Path("pql.yaml"),
    as_of: AsOfOption = None,
    output: ScoresOption = None,
    model: ModelOption = "champion",
    near_misses: NearMissesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score everyone at risk and write the rows, with reasons."""
    with Bars(err) as bars:
        result = pql_model.score(
            config, as_of=as_of, output=output, model=model, near_misses=near_misses, listener=bars
        )
    emit(result, as_json, lambda console, payload: show_score(console, payload, _best(result)))


@app.command()
def explain(
    entity: Annotated[str, typer.Argument(help="Id of an account (or user), as in the entities table.")],
    config: ConfigOption = Path("pql.yaml"),
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Date or time to explain at. Default: the newest event of the data."),
    ] = None,
    model: ModelOption = "champion",
    as_json: JsonOption = False,
) -> None:
    """Explain one entity: its probability, what raises and lowers it, and which conditions of the definition it meets.

    Everything shown predicts paying; only an experiment can show what makes an account pay. An entity that is not at
    risk is explained as well, with the reason.
    """
    with Bars(err) as bars:
        result = pql_model.explain_entity(config, entity, as_of=as_of, model=model, listener=bars)
    emit(result, as_json, show_explain)


@app.command()
def report(
    config: ConfigOption = Path("pql.yaml"),
    output: ReportOption = None,
    model: AnyModelOption = None,
    explorer: ExplorerOption = "rows",
    as_json: JsonOption = False,
) -> None:
    """Write the growth report: which behaviours predict paying, which rule to use, and how certain that is.

    One HTML file that loads nothing and contains no names. It shows what was found when the model was trained. It holds one row
    per account, which answers any rule exactly: keep it inside the company, and share one with `--explorer counts`.
    """
    emit(pql_model.write_report(config, output=output, model=model, explorer=explorer), as_json, _show_report)


def _show_report(console: Console, payload: dict[str, Any]) -> None:
    say(console, f"Wrote {payload['output']} ({payload['bytes'] / 1024:.0f} KB). Open it in a browser.")


@app.command()
def models(config: ConfigOption = Path("pql.yaml"), as_json: JsonOption = False) -> None:
    """List the trained versions: verdict, ROC-AUC, aliases, and when and why each was promoted."""
    emit(pql_model.models(config), as_json, show_models)


@app.command()
def rollback(
    config: ConfigOption = Path("pql.yaml"),
    to: Annotated[
        str | None,
        typer.Option(help="Version number, see `pql models`. Default: the champion before the current one."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Restore the previous champion. Running it twice goes back two champions. Nothing is deleted."""
    with Bars(err) as bars:
        result = pql_model.rollback(config, to=to, listener=bars)
    emit(result, as_json, lambda console, payload: say(console, payload["words"]))


for command in (
    simulate,
    sync,
    forecast,
    funnel,
    features,
    export,
    serve,
    verify,
    replay,
    forget,
    leads,
    ledger,
    feedback,
    effect,
    monitor,
    mcp,
):
    app.command()(command)


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


def _best(result: Any, count: int = 5) -> list[dict[str, Any]]:
    rows = result.rows.head(count).to_dict("records")
    return [{**row, "why": "; ".join(reason["words"] for reason in json.loads(row["reasons"]))} for row in rows]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    run_app(app, "pql", arguments)
