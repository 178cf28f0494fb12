"""Markup that cannot be injected into: `tag` escapes every child and attribute that is not `Html` already."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape, unescape
from importlib import resources

from etalon.report.read import Number

MISSING = "–"
CHARTS = ("charts/charts.js",)  # the script of a page with charts
SECTION = re.compile(r'<section id="(?P<name>[^"]*)"><h2>(?P<title>.*?)</h2>')  # as `section` writes it
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


class Html(str):
    """Markup; a plain str is text."""


def escaped(words: str) -> str:
    """Text as markup; what would hide, reorder or break it (controls, surrogates, bidi overrides) becomes U+FFFD."""
    return escape(UNPRINTABLE.sub("\ufffd", words))


def join(children: Iterable[str]) -> Html:
    return Html("".join(child if isinstance(child, Html) else escaped(child) for child in children))


def tag(name: str, *children: str, **attributes: str | float | None) -> Html:
    """`tag("td", "1 < 2", class_="x")`: an attribute that is None or "" is left out, floats have one decimal."""
    shown = {
        key.strip("_").replace("_", "-"): f"{value:.1f}" if isinstance(value, float) else str(value)
        for key, value in attributes.items()
        if value not in (None, "")
    }
    inside = "".join(f' {key}="{escaped(value)}"' for key, value in shown.items())
    return Html(f"<{name}{inside}>{join(children)}</{name}>")


def grid(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    classes: Sequence[str] = (),
    styles: Mapping[int, str] | None = None,
) -> Html:
    """A table that scrolls sideways where the page is narrow; the first column is text, the others numbers.

    classes: of the rows. styles: classes of columns, "left" or "words" that may break. The last cell of a row with
    fewer cells than the head has is words, as wide as all that are missing.
    """
    columns = styles or {}

    def cells(row: Sequence[str]) -> list[Html]:
        found = [tag("th", row[0], scope="row")]
        found += [tag("td", cell, class_=columns.get(place, "")) for place, cell in enumerate(row[1:], start=1)]
        missing = len(head) - len(row)
        return [*found[:-1], tag("td", row[-1], class_="words", colspan=str(missing + 1))] if missing else found

    lines = [tag("tr", *cells(row), class_=cls) for row, cls in zip(rows, classes or [""] * len(rows), strict=True)]
    names = [tag("th", cell, scope="col", class_=columns.get(place, "")) for place, cell in enumerate(head)]
    top = tag("thead", tag("tr", *names))
    return tag("div", tag("table", top, tag("tbody", *lines)), class_="scroll", tabindex="0")


def figure(title: str, chart: Html, note: str = "", *, legend: Sequence[tuple[str, str]] = ()) -> Html:
    """A chart under its title; `legend` pairs the class of a swatch with its words."""
    keys = [tag("span", tag("i", class_=swatch), words, class_="key") for swatch, words in legend]
    foot = [tag("figcaption", *keys, note)] if keys or note else []
    return tag("figure", tag("h4", title), chart, *foot)


def section(name: str, title: str, lead: str, *parts: str) -> Html:
    return tag("section", tag("h2", title), tag("p", lead, class_="lead"), *parts, id_=name)


def contents(sections: Iterable[Html]) -> Html:
    """Links to those of these sections that are there, by their titles."""
    found = [match for part in sections if (match := SECTION.match(part))]
    return tag("nav", *(tag("a", Html(match["title"]), href=f"#{unescape(match['name'])}") for match in found))


def folded(title: str, *parts: str) -> Html:
    return tag("details", tag("summary", title), *parts)


def document(title: str, body: Html, *, scripts: Sequence[str] = ()) -> str:
    """A whole page. Its policy allows nothing but this very style sheet and these scripts of ours (names of files of
    this package), whatever a model wrote into a file: no network, no other script, no handler in markup."""
    style = _packaged("style.css")
    codes = [_packaged(name) for name in scripts]
    allowed = " ".join(f"'sha256-{_digest(code)}'" for code in codes) or "'none'"
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; script-src {allowed}; base-uri 'none'; "
        "form-action 'none'"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"{tag('title', title)}<style>{style}</style></head>{body}"
        f"{''.join(f'<script>{code}</script>' for code in codes)}</html>\n"
    )


def _packaged(name: str) -> str:
    return (resources.files("etalon.report") / name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def clip(words: str, length: int) -> str:
    return words if len(words) <= length else f"{words[:length]} … ({len(words) - length:,} more characters)"


def cut(words: str, num_bytes: int) -> str:
    """The beginning and the end of a text, at most about so many bytes of UTF-8; how much is left out is told."""
    encoded = UNPRINTABLE.sub("\ufffd", words).encode()
    if len(encoded) <= num_bytes:
        return encoded.decode()
    half = max(num_bytes // 2 - 40, 0)
    ends = (encoded[:half], encoded[len(encoded) - half :])
    start, end = (part.decode(errors="ignore") for part in ends)
    return f"{start}\n\n… {len(encoded) - 2 * half:,} bytes left out …\n\n{end}"


def share(value: Number) -> str:
    """`82.8`: a share of 1 in percent."""
    return MISSING if value is None else minus(f"{100 * value:.1f}")


def signed(value: Number) -> str:
    """`+18.2`: a difference of shares in points."""
    return MISSING if value is None else minus(f"{100 * value:+.1f}")


def count(value: Number, decimals: int = 0) -> str:
    return MISSING if value is None else minus(f"{value:,.{decimals}f}")


def percent(value: Number) -> str:
    return MISSING if value is None else f"{value:.1%}"


def between(low: Number, high: Number, sign: str = "") -> str:
    """`[78.2, 86.7]`: an interval of a share in percent; of a difference, in points, where `sign` is "+"."""
    return MISSING if low is None or high is None else minus(f"[{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]")


def duration(seconds: Number) -> str:
    if seconds is None:
        return MISSING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def minus(digits: str) -> str:
    return digits.replace("-", "\u2212")
