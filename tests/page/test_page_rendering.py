import pytest
from jinja2 import UndefinedError

from pql_model.page.rendering import make_environment, without_layout


def test_text_is_escaped_and_cannot_reverse_the_sentence_around_it():
    template = make_environment("pql_model.page").from_string("<p title='{{ name }}'>{{ name }}</p>")

    assert template.render(name="<b>'\u202e") == "<p title='&lt;b&gt;&#39;\ufffd'>&lt;b&gt;&#39;\ufffd</p>"


def test_a_missing_value_is_an_error_and_not_an_empty_text():
    with pytest.raises(UndefinedError, match="price"):
        make_environment("pql_model.page").from_string("{{ price }}").render()


def test_a_package_has_its_own_templates_and_the_shared_ones():
    environment = make_environment("pql_model.report")

    names = environment.list_templates()
    assert {"verdict.html.j2", "frame.html.j2"} <= set(names)
    assert "verdict.html.j2" not in make_environment("pql_model.page").list_templates()


def test_filters_belong_to_the_environment_that_was_made_with_them():
    shout = make_environment("pql_model.page", {"shout": str.upper})

    assert shout.from_string("{{ 'a' | shout }}").render() == "A"
    assert "shout" not in make_environment("pql_model.page").filters


def test_line_breaks_next_to_an_element_are_layout():
    assert without_layout("<p>\n  one\n  two\n</p>") == "<p>one\n  two</p>"
