"""What the tests of the command line share."""

import pytest

from pql_model.cli.app import main


@pytest.fixture
def run(capsys):
    """Run the command line in this process: exit code, stdout, stderr."""

    def run_(*arguments):
        with pytest.raises(SystemExit, match=r"^\d+$") as exit_info:
            main([str(argument) for argument in arguments])
        payload = capsys.readouterr()
        return exit_info.value.code, payload.out, payload.err

    return run_


@pytest.fixture
def config(trained):
    return trained.folder.parent.parent / "pql.yaml"
