import math

import pytest

from pql_model.cli.common import printed


def test_the_object_is_one_line_on_stdout_and_only_if_asked_for(capsys):
    assert printed({"words": "naïve [x]"}, as_json=True)
    assert capsys.readouterr().out == '{"words": "naïve [x]"}\n'
    assert not printed({"words": "x"}, as_json=False)
    assert capsys.readouterr().out == ""


def test_what_is_no_json_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        printed({"value": math.nan}, as_json=True)
