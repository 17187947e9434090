import math
from dataclasses import dataclass
from typing import Any

import pytest

from pql_model.cli.common import emit, print_json
from pql_model.cli.tables import say


@dataclass(frozen=True)
class Answer:
    text: str

    def to_dict(self) -> dict[str, Any]:
        return {"words": self.text}


def test_a_result_is_one_line_of_json_with_the_option_and_text_without(capsys):
    for as_json in (True, False):
        emit(Answer("naïve [x]"), as_json, lambda console, payload: say(console, payload["words"]))
    assert capsys.readouterr().out == '{"words": "naïve [x]"}\nnaïve [x]\n'


def test_nan_is_rejected_as_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"value": math.nan})
