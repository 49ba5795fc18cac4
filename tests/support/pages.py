"""Takes an HTML page apart."""

from __future__ import annotations

from html.parser import HTMLParser


class Reader(HTMLParser):
    """Collects the text, the rows of tables, the elements and the scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in: list[str] = []
        self._id = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._in.append(tag)
        if tag in ("h2", "h3"):
            self._id = dict(attrs).get("id") or ""
        elif tag == "tr":
            self.tables.setdefault(self._id, []).append([])
        elif tag in ("td", "th"):
            self.tables[self._id][-1].append("")
        elif tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data):
        if self._in[-1:] == ["script"]:
            self.scripts[-1] += data
        elif self._in[-1:] != ["style"]:
            self.texts.append(data)
            if self._in[-1:] in (["td"], ["th"]):
                self.tables[self._id][-1][-1] += data
