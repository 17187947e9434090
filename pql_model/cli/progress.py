"""Progress of a run on stderr: bars on a terminal, otherwise one line per stage."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Bars:
    """A progress bar per stage on a terminal; otherwise plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Bars:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finish()
        if self._console.is_terminal:
            self._bars.stop()

    def stage(self, name: str) -> None:
        self._finish()
        if self._console.is_terminal:
            self._task = self._bars.add_task(name, total=None, note="")
        else:
            self._console.print(f"{name} ...", highlight=False, markup=False)

    def share(self, done: float, note: str = "") -> None:
        if self._task is not None:
            self._bars.update(self._task, total=1.0, completed=done, note=note)

    def say(self, sentence: str) -> None:
        self._console.print(f"  {sentence}", style="dim", highlight=False, markup=False)

    def _finish(self) -> None:
        if self._task is not None:
            self._bars.update(self._task, total=1.0, completed=1.0)
            self._bars.stop_task(self._task)
            self._task = None
