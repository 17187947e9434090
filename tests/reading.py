"""Reads a page back: its elements, its numbers, the marks of its charts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = {"meta", "input", "line", "rect", "circle", "path", "br"}


@dataclass
class Node:
    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str, **wanted: str) -> list[Node]:
        result = [
            child
            for child in self.children
            if child.tag == tag
            and all(child.attributes.get(k.rstrip("_").replace("_", "-")) == v for k, v in wanted.items())
        ]
        return result + [node for child in self.children for node in child.all(tag, **wanted)]

    def one(self, tag: str, **wanted: str) -> Node:
        result = self.all(tag, **wanted)
        assert len(result) == 1, f"{len(result)} of <{tag}> with {wanted}"
        return result[0]

    def text_content(self) -> str:
        """The text a reader sees; a line break inside it is a space."""
        text = "".join(
            child.text if child.tag == "#text" else child.text_content()
            for child in self.children
            if child.tag not in ("script", "style")
        )
        return re.sub(r"\s*\n\s*", " ", text)

    def table(self, name: str) -> list[list[str]]:
        rows = self.one("table", data_table=name).one("tbody").all("tr")
        return [[" ".join(cell.text_content().split()) for cell in row.children] for row in rows]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("root")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in _VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> inside <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(Node("#text", text=data))


def read(html: str) -> Node:
    """The page as a tree; an element that is not closed in order is an error."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is not closed"
    return reader.root


def skeleton(node: Node) -> list[Any]:
    """Elements and the names of their attributes, without any text: what a hostile name must not change."""
    return [[child.tag, sorted(child.attributes), skeleton(child)] for child in node.children if child.tag != "#text"]
