"""Docstrings, pages and files about the package: their form, facts and links."""

import html.parser
import importlib
import re
import shutil
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import pytest
from test_package import DOCS, PUBLIC, public_callables

import skfacies
from skfacies.benchmark import PUBLISHED

ROOT = DOCS.parent


# --- docstrings -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in PUBLIC.items() for name in names]
)
def test_docstring_passes_the_checks_of_numpydoc(module, name):
    hooks = pytest.importorskip("numpydoc.hooks.validate_docstrings")
    from numpydoc.validate import validate

    checks = hooks.parse_config(str(ROOT))["checks"]
    public = getattr(importlib.import_module(module), name)
    found = [
        (path, code, message)
        for path, _ in public_callables(name, public)
        for code, message in validate(f"{module}.{path}")["errors"]
        if code in checks
    ]
    assert found == []


# --- files of the repository ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/recipes.md"])
def test_files_that_are_named_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    code = re.findall(r"`(?:python )?((?:docs|examples|tests|skfacies)/[\w./-]+\.\w+)`", text)
    assert [path for path in links + code if not (ROOT / path).exists()] == []


def test_version_and_date_are_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, date = re.search(r"^## \[(\d\S*)\] - (\S+)$", changes, flags=re.MULTILINE).groups()
    assert f"\nversion: {version}\n" in citation
    assert f'\ndate-released: "{date}"\n' in citation
    if "dev" not in skfacies.__version__:
        assert skfacies.__version__ == version


def test_page_on_the_benchmark_has_the_published_scores():
    text = (DOCS / "f3_benchmark.rst").read_text(encoding="utf-8")
    for method, scores in PUBLISHED.items():
        rows = ["–" if score is None else f"{score:.3f}" for score in scores]
        assert "\n     - ".join([f"   * - {method}", *rows]) + "\n" in text


# --- pages ----------------------------------------------------------------------------------


class Links(html.parser.HTMLParser):
    """Addresses that a page leads to, and names that can be led to."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.names = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.names |= {attrs.get("id"), attrs.get("name") if tag == "a" else None} - {None}
        self.addresses |= {attrs.get("href"), attrs.get("src")} - {None}


def broken_links(folder):
    """Links (page, address) between the pages of a folder that lead nowhere."""
    paths = sorted(path for path in folder.rglob("*.html") if "_static" not in path.parts)
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in paths}
    broken = []
    for page, links in pages.items():
        for address in sorted(links.addresses):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            name = unquote(parts.fragment)
            known = target.exists() and (
                not name or target not in pages or name in pages[target].names
            )
            if not known:
                broken.append((page.relative_to(folder).as_posix(), address))
    return broken


def test_broken_links_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="#here"><a href="b.html#there"></p>')
    (tmp_path / "b.html").write_text('<img src="no.png"><a href="a.html#no"><a href="https://x.y">')
    assert broken_links(tmp_path.resolve()) == [
        ("a.html", "b.html#there"),
        ("b.html", "a.html#no"),
        ("b.html", "no.png"),
    ]


@pytest.mark.slow
def test_documentation_builds_without_a_warning_or_a_broken_link(tmp_path):
    for package in ("sphinx_gallery", "myst_parser", "pydata_sphinx_theme"):
        pytest.importorskip(package)
    # A copy: Sphinx writes pages of the gallery and of the API beside the sources.
    for name in ("docs", "examples"):
        skip = shutil.ignore_patterns("_build", "auto_examples", "generated")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skip)
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    pages = (tmp_path / "html").resolve()
    options = ["-q", "-W", "--keep-going", "-D", "plot_gallery=0"]
    command = [sys.executable, "-m", "sphinx", *options, str(tmp_path / "docs"), str(pages)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert broken_links(pages) == []
