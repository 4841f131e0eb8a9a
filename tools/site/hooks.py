"""What becomes a page of the site, and how: mkdocs calls the functions that begin with `on_`.

The pages are taken from where they are, nothing is copied. A link to a file that is no page leads to
a page that shows the file. The pages of the API come from Doxygen's XML, in the folder $SITE_API; the
text of the whole course, for the PDF, goes to the file $SITE_BOOK.
"""

import fnmatch
import html
import json
import os
import posixpath
import re
import sys
from pathlib import Path

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.structure.nav import Link
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import api  # noqa: E402
import book  # noqa: E402
import draw  # noqa: E402
from docs import COMMENT, links_of, read_announcement, read_page  # noqa: E402

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md"]
STATIC = ["docs/**/*.svg", "docs/player/**/*"]  # what the pages show; other files become pages
NOT_IN_THE_COURSE = {"API", "The project"}
LEXERS = {".pml": "x.c", ".clang-tidy": "x.yml", ".dox": "x.cpp"}
IS_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")

sources = set()  # the files and folders that a page names
texts = {}  # of the pages made here, by their path
contents = {}  # path -> (title, HTML), for the book


# ---- what there is ----------------------------------------------------------------------------

def found(patterns):
    return sorted({path.relative_to(ROOT).as_posix() for pattern in patterns
                   for path in ROOT.glob(pattern) if path.is_file()})


def target_of(path, target):
    """(path in the repository, anchor) of a link on the page `path`; None: it leads elsewhere."""
    if IS_ADDRESS.match(target):
        return None
    name, _, anchor = target.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) if name else path, anchor


def page_of(name):
    """The page that stands for a file or folder of the repository; static files stand for themselves."""
    if (ROOT / name).is_dir():
        return f"{name}/README.md"
    if name.endswith(".md") or name in static_files:
        return name
    return f"{name}.md"


def note_sources(path):
    page = read_page(Path(path), (ROOT / path).read_text(encoding="utf-8"))
    named = [target_of(path, target) for _, target in links_of(page)[0]]
    named += [(block.argument.partition("#")[0], "") for block in page.blocks if block.kind == "code"]
    for name, _ in filter(None, named):
        if not (ROOT / name).exists():
            raise PluginError(f"{path}: no {name}")
        if page_of(name) not in texts and not (ROOT / page_of(name)).is_file():
            sources.add(name)


def on_config(config):
    global static_files
    static_files = set(found(STATIC))
    config["mdx_configs"].setdefault("toc", {})["slugify"] = slug
    pages = found(PAGES)
    xml = Path(os.environ["SITE_API"])
    texts.update(api.pages(xml))
    sources.update(api.headers(xml))
    for path in pages:
        note_sources(path)
    for name in list(sources):
        if (ROOT / name).is_dir():
            sources.update(path.relative_to(ROOT).as_posix() for path in (ROOT / name).iterdir()
                           if path.is_file())
    unused = set(pages) | set(texts)
    config["nav"] = expanded(config["nav"], unused)
    if unused:
        raise PluginError(f"tools/site/mkdocs.yml has no place for {', '.join(sorted(unused))}")
    return config


def expanded(item, unused):
    """The navigation with its patterns replaced; takes what it names out of `unused`."""
    if isinstance(item, dict):
        made = {title: expanded(inner, unused) for title, inner in item.items()}
        return {title: inner for title, inner in made.items() if inner}
    if isinstance(item, list):
        made = [one for inner in item
                for one in (expanded(inner, unused) if isinstance(inner, str) and "*" in inner
                            else [expanded(inner, unused)])]
        return [one for one in made if one]
    names = sorted(name for name in unused if fnmatch.fnmatchcase(name, item)
                   and name.count("/") == item.count("/"))
    unused.difference_update(names)
    return names if "*" in item else item


def slug(text, _separator):
    """The anchor that GitHub gives to a heading, from its text."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def on_files(files, config):
    made = list(texts) + [page_of(name) for name in sorted(sources)]
    for path in found(PAGES) + sorted(static_files) + made:
        files.append(File(path, str(ROOT), config["site_dir"], use_directory_urls=False))
    return files


def on_nav(nav, **_):
    extra = [Link("The course as one PDF", "course.pdf")]
    if "docs/player/index.html" in static_files:
        extra.insert(0, Link("The player", "docs/player/index.html"))
    nav.items[2:2] = extra[:-1]
    nav.items.append(extra[-1])
    return nav


# ---- a page -----------------------------------------------------------------------------------

def source_name(path):
    """The file or folder that the page `path` shows, if it shows one."""
    return next((name for name in (path[:-len(".md")], posixpath.dirname(path))
                 if name in sources and page_of(name) == path), None)


def on_page_read_source(page, **_):
    path = page.file.src_uri
    if path in texts:
        return texts[path]
    name = source_name(path)
    if name:
        page.meta = {}
        return f"# {name}\n"
    return None


def on_page_markdown(markdown, page, **_):
    path = page.file.src_uri
    page.title = page.title.replace("`", "")
    if path in texts or source_name(path):
        return markdown
    return "\n".join(lines_for_site(path, read_page(Path(path), markdown)))


def lines_for_site(path, page):
    """The lines of a page in the Markdown of mkdocs, which is not quite that of GitHub."""
    in_block = {line for block in page.blocks if block.fence
                for line in range(block.first - 1, block.end + 1)}
    for number, line in enumerate(page.lines):
        if number in in_block:
            yield line
        elif page.prose[number] == "" and line.strip():  # a comment
            yield from announcement(path, line)
        else:
            line = line.replace("<details>", '<details markdown="1">').replace(draw.FROM_A_CLONE, "")
            yield prose(path, line)


def announcement(path, line):
    """What a reader gets to see of a comment: nothing, or where the code below it comes from."""
    comment = COMMENT.match(line)
    kind, argument, _ = read_announcement(comment["text"]) if comment else (None, "", None)
    if kind == "code":
        name, _, tag = argument.partition("#")
        text = (ROOT / name).read_text(encoding="utf-8").split("\n")
        place = next((number for number, words in enumerate(text, 1) if words.strip().lstrip("/# ")
                      == f"[{tag}]"), 1)
        href = posixpath.relpath(f"{page_of(name)[:-3]}.html", posixpath.dirname(path))
        return ["", f'<p class="from"><a href="{href}#L{place}">{name}</a></p>', ""]
    return ["", ""]


def prose(path, line):
    """A line of prose: its links lead to pages, and bars inside of code are not escaped."""
    if line.startswith("|"):
        line = re.sub(r"(`+)(.+?)\1", lambda span: span[0].replace(r"\|", "|"), line)

    def link(match):
        target = target_of(path, match[2])
        if target is None or match[2].startswith("#") or not (ROOT / target[0]).exists():
            return match[0]
        name, anchor = target
        there = posixpath.relpath(page_of(name), posixpath.dirname(path) or ".")
        anchor = re.sub(r"^(L\d+)-L\d+$", r"\1", anchor)
        return f"{match[1]}{there}{'#' * bool(anchor)}{anchor}{match[3]}"

    return re.sub(r"(\]\()([^\s()`]+)(\))", link, line)


def shown_source(name):
    """A file with its lines as anchors, or a folder with its files."""
    path = ROOT / name
    if path.is_dir():
        items = "".join(f'<li><a href="{html.escape(one.name)}.html">{html.escape(one.name)}</a></li>'
                        for one in sorted(path.iterdir()) if one.is_file())
        return f"<ul>{items}</ul>"
    try:
        lexer = get_lexer_for_filename(LEXERS.get(path.suffix, path.name), stripnl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False)
    text = highlight(path.read_text(encoding="utf-8", errors="replace"), lexer, HtmlFormatter(nowrap=True))
    lines = "".join(f'<span class="line" id="L{number}">{line}\n</span>'
                    for number, line in enumerate(text.rstrip("\n").split("\n"), 1))
    return f'<div class="highlight source"><pre><code>{lines}</code></pre></div>'


def on_page_content(content, page, **_):
    path = page.file.src_uri
    name = source_name(path)
    if name:
        page.meta["hide"] = ["toc"]
        return re.sub(r"(?<!<)/", "/<wbr>", content) + shown_source(name)
    # A cell without words is no heading.
    content = re.sub(r"<th( [^>]*)?></th>", "<td></td>", content)
    contents[path] = (page.title, content)
    return content


# A label that the theme uses as a button: for who has a mouse only.
LABEL = re.compile(r'<label class="(?P<class>md-(?:header__button|nav__link|nav__title)[^"]*)" '
                   r'for="(?P<toggle>__(?:drawer|search|toc|nav_\w+))">(?P<inside>.*?)</label>',
                   re.DOTALL)
NAMES = {"__drawer": "Menu", "__search": "Search"}


def on_post_template(output, template_name, **_):
    return on_post_page(output) if template_name == "404.html" else output


def on_post_page(output, **_):
    """The theme's pages, with what they lack for the keyboard and for a screen reader."""
    def button(match):
        if "<a " in match["inside"] or ("nav__title" in match["class"] and match["toggle"] == "__toc"):
            return match[0]
        name = NAMES.get(match["toggle"])
        label = f' aria-label="{name}"' if name else ""
        # `for` means nothing here: the theme's style sheet asks for it.
        return (f'<button type="button" class="{match["class"]}" for="{match["toggle"]}" '
                f'data-toggles="{match["toggle"]}"{label}>{match["inside"]}</button>')

    output = re.sub(r"assets/javascripts/workers/search\.\w+\.min\.js", "search.js", output)
    return LABEL.sub(button, output).replace('role="dialog">', 'role="dialog" aria-label="Search">')


def on_post_build(config):
    is_source = {f"{page_of(name)[:-3]}.html" for name in sources}
    keep_in_search(Path(config["site_dir"]) / "search" / "search_index.json", is_source)
    parts = [(title, [(path, *contents[path]) for path in pages_in(inner)])
             for section in config["nav"] for title, inner in section.items()
             if title not in NOT_IN_THE_COURSE]
    book.write(Path(os.environ["SITE_BOOK"]), HERE / "book.css", config["site_name"],
               config["site_description"], parts)


def pages_in(nav):
    if isinstance(nav, str):
        return [nav]
    inner = nav.values() if isinstance(nav, dict) else nav
    return [page for one in inner for page in pages_in(one)]


def keep_in_search(path, is_source):
    """A search finds words of the pages; the sources that they show would hide them."""
    index = json.loads(path.read_text(encoding="utf-8"))
    index["docs"] = [entry for entry in index["docs"]
                     if entry["location"].partition("#")[0] not in is_source]
    path.write_text(json.dumps(index), encoding="utf-8")
