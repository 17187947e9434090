import base64
import hashlib

from markupsafe import Markup
from reading import read

from pql_model.page.document import asset, document, write_page

EVIL = "</title><script>alert(1)</script>"


def digest(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_policy_follows_the_charset_and_has_the_hashes_of_style_and_script():
    html = document("x", Markup("<main>y</main>"), "b { color: red }", "let a = 1;")
    charset, policy = read(html).one("head").all("meta")[:2]
    content = str(policy.attributes["content"])

    assert charset.attributes == {"charset": "utf-8"}
    for kind, added in (("style", "b { color: red }"), ("script", "let a = 1;")):
        text = html.split(f"<{kind}>", 1)[1].split(f"</{kind}>", 1)[0]
        assert text.endswith(added)
        assert f"{kind}-src 'sha256-{digest(text)}'" in content
    assert content.startswith("default-src 'none'; ")
    assert "unsafe" not in content


def test_a_title_is_only_ever_text():
    tree = read(document(EVIL, Markup("")))

    assert tree.one("title").text_content() == EVIL
    assert len(tree.all("script")) == 1


def test_every_page_has_the_common_style_and_script_first():
    html = document("x", Markup(""), "/* own */", "// own")

    assert html.index(asset("pql_model.page", "base.css")) < html.index("/* own */")
    assert html.index(asset("pql_model.page", "base.js")) < html.index("// own")


def test_a_page_is_written_as_utf_8_with_plain_line_ends(tmp_path):
    write_page(tmp_path / "x.html", "<p>\u00e9\n</p>")

    assert (tmp_path / "x.html").read_bytes() == b"<p>\xc3\xa9\n</p>"
    assert [path.name for path in tmp_path.iterdir()] == ["x.html"]
