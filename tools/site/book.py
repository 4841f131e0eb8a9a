"""The course as one document: the pages of the site, one after the other, with a table of contents.
Links from page to page lead inside of it; what leads to a source keeps its words only."""

import html
import posixpath
import re

LINK = re.compile(r'<a (?P<before>[^>]*?)href="(?P<target>[^"]*)"(?P<after>[^>]*)>(?P<text>.*?)</a>',
                  re.DOTALL)
# The words of code that book.css does not tell apart: each would be a box to lay out.
UNSTYLED = re.compile(r'<span class="(?!c1"|cm"|k"|kt"|kd"|gd"|gi")\w+">([^<]*)</span>|<span></span>')
HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="{style}"></head><body>
<section class="cover"><h1>{title}</h1><p>{subtitle}</p></section>
<nav><h1>Contents</h1>
"""


def name_of(path):
    return re.sub(r"\W", "-", path)


def inside(path, content, paths):
    """The content with anchors that are unique in the book, and links that lead into it."""
    folder = posixpath.dirname(path)

    def link(match):
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            return match[0]
        name, _, anchor = target.partition("#")
        there = posixpath.normpath(posixpath.join(folder, name)) if name else path
        there = re.sub(r"\.html$", ".md", there)
        there = there if there in paths else re.sub(r"index\.md$", "README.md", there)
        if there not in paths:
            return match["text"]
        place = f"{name_of(there)}--{anchor}" if anchor else name_of(there)
        return f'<a href="#{place}">{match["text"]}</a>'

    content = re.sub(r'\bid="([^"]*)"', rf'id="{name_of(path)}--\1"', content)
    content = re.sub(r'(<img [^>]*?src=")([^":]*)"',
                     lambda match: f'{match[1]}{posixpath.join(folder, match[2])}"', content)
    for name in "details", "summary":  # folded on a screen
        content = re.sub(rf"<{name}>", f'<div class="{name}">', content)
        content = content.replace(f"</{name}>", "</div>")
    return LINK.sub(link, UNSTYLED.sub(r"\1", content))


def write(file, style, title, subtitle, parts):
    """parts: (title, pages), and of each page (path, title, HTML), its pictures relative to the
    repository."""
    pages = [page for _, pages in parts for page in pages]
    paths = {path for path, _, _ in pages}
    out = [HEAD.format(title=html.escape(title), subtitle=html.escape(subtitle), style=style)]
    for part, inner in parts:
        items = "".join(f'<li><a href="#{name_of(path)}">{html.escape(name, quote=False)}</a></li>'
                        for path, name, _ in inner)
        out.append(f"<h2>{html.escape(part)}</h2><ul>{items}</ul>")
    out.append("</nav>")
    out += [f'<article id="{name_of(path)}">{inside(path, content, paths)}</article>'
            for path, _, content in pages]
    file.write_text("\n".join(out + ["</body></html>"]), encoding="utf-8")
