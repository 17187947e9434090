"""`python -m pql_model` is `pql`."""

from pql_model.cli.app import main

main()
