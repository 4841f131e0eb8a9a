#!/usr/bin/env python3
"""Builds the site: the pages, the sources that they name, the API, and the course as one PDF.

    tools/site/build.py DIR     into the folder DIR, which is replaced when all has gone well

Exit code: 0 built, 1 not, with the reason, 2 wrong use, 77 a program that it needs is not installed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
NEEDED = {"mkdocs": "mkdocs mkdocs-material", "doxygen": "doxygen", "weasyprint": "weasyprint",
          "chromium": "chromium"}
CHROMIUM = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--hide-scrollbars", "--force-device-scale-factor=2"]
NOT_INSTALLED = 77


def stop(code, message):
    print(f"site: {message}", file=sys.stderr)
    raise SystemExit(code)


def run(words, **keywords):
    """Its output is shown where it fails, and only there."""
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False, cwd=ROOT, **keywords)
    if "Unrecognised theme name" in result.stdout:
        missing("mkdocs-material")
    if result.returncode != 0:
        print(result.stdout, end="", file=sys.stderr)
        stop(1, f"{words[0]} failed with exit code {result.returncode}, its reason is above")


def missing(packages):
    stop(NOT_INSTALLED, f"not installed: {packages}. On Debian 12 and 13: tools/setup.sh --site")


def build(target, work):
    xml, site = work / "api", work / "site"
    doxyfile = (ROOT / "docs" / "Doxyfile").read_text(encoding="utf-8")
    (work / "Doxyfile").write_text(doxyfile + "\nGENERATE_HTML = NO\nGENERATE_XML = YES\n"
                                   "XML_PROGRAMLISTING = NO\n", encoding="utf-8")
    run(["doxygen", work / "Doxyfile"], env={**os.environ, "API_REFERENCE": str(xml)})
    run(["mkdocs", "build", "--quiet", "--config-file", HERE / "mkdocs.yml", "--site-dir", site],
        env={**os.environ, "SITE_API": str(xml / "xml"), "SITE_BOOK": str(work / "book.html"),
             "PYTHONDONTWRITEBYTECODE": "1"})
    draw_pictures(work)
    run(["weasyprint", "--quiet", "--base-url", f"{ROOT}/", work / "book.html", site / "course.pdf"])
    if target.exists():
        shutil.rmtree(target)
    shutil.move(site, target)


def draw_pictures(work):
    """The pictures of the PDF are drawn by Chromium: WeasyPrint does not set text to a length."""
    book = work / "book.html"
    text = book.read_text(encoding="utf-8")
    for number, name in enumerate(sorted(set(re.findall(r'<img [^>]*src="([^"]+\.svg)"', text)))):
        svg = (ROOT / name).read_text(encoding="utf-8")
        width, height = re.search(r'<svg [^>]*width="(\d+)" height="(\d+)"', svg).groups()
        png = work / f"{number}.png"
        run([*CHROMIUM, f"--user-data-dir={work / 'profile'}", f"--window-size={width},{height}",
             f"--screenshot={png}", (ROOT / name).as_uri()])
        if not png.is_file():
            stop(1, f"chromium has not drawn {name}")
        text = text.replace(f'src="{name}"', f'src="{png.as_uri()}" width="{width}"')
    book.write_text(text, encoding="utf-8")


class Arguments(argparse.ArgumentParser):
    def error(self, message):
        stop(2, f"{message}: try --help")


def main():
    parser = Arguments(prog="tools/site/build.py", allow_abbrev=False,
                                     description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR", help="where the site is to be")
    target = parser.parse_args().folder.resolve()
    absent = [packages for program, packages in NEEDED.items() if not shutil.which(program)]
    if absent:
        missing(" ".join(absent))
    if target.exists() and not (target / "index.html").is_file():
        stop(1, f"{target} is there and is not a site: name another folder, or remove it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="site-", dir=target.parent) as work:
            build(target, Path(work))
    except OSError as problem:
        stop(1, f"cannot write {target}: {problem}")
    print(f"site: {target}/index.html, the course as one PDF: {target}/course.pdf")


if __name__ == "__main__":
    main()
