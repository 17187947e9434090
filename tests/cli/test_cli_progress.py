import io

from rich.console import Console

from pql_model.cli.progress import Bars


def text_of(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    with Bars(console) as bars:
        bars.share(0.5)  # before any stage: nothing to move
        bars.stage("read [x]")
        bars.share(0.5, "half")
        bars.say("3 rows of [y] are odd")
        bars.stage("fit")
    return console.file.getvalue()


def test_without_a_terminal_each_stage_is_a_line():
    assert text_of(terminal=False).splitlines() == ["read [x] ...", "  3 rows of [y] are odd", "fit ..."]


def test_on_a_terminal_the_stages_are_bars_and_sentences_stay():
    text = text_of(terminal=True)
    assert "fit" in text
    assert "3 rows of [y] are odd" in text
