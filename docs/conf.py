"""Configuration of Sphinx; `make docs` builds with it."""

import importlib.util
import os
import warnings

from sklearn.exceptions import ConvergenceWarning
from sphinx_gallery.sorting import ExplicitOrder

from skfacies import __version__

# The networks of the examples are small: a second thread brings little, and where other programs
# run at the same time it makes them many times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# They are trained for seconds, and may miss units: of a fit on a survey, this is worth a warning.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

project = "skfacies"
author = "The skfacies developers"
copyright = author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "**/GALLERY_HEADER.rst"]
templates_path = ["_templates"]
default_role = "py:obj"  # `X` is code, and `FaciesSegmenter` is a link
myst_heading_anchors = 3
smartquotes = False  # they would turn the quotes and dashes of code in running text
html_css_files = ["pages.css"]

# Roles such as :func: must find what they name; single backquotes also mark parameters. What other
# projects document is found where intersphinx may ask for it.
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*"), ("py:class", r"sklearn\..*")]

# --- API pages ------------------------------------------------------------------------------

autosummary_generate = True
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False  # the template of a class lists its methods

# Links into the pages of other projects need a network connection, so they are asked for.
if os.environ.get("SKFACIES_DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "skorch": ("https://skorch.readthedocs.io/en/stable", None),
    }

# --- gallery --------------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # All examples run but this one, which needs the path of data that have to be fetched first.
    "filename_pattern": r"[/\\](?!f3_sections)\w+\.py$",
    # From first steps to special topics; the table in examples/README.rst has the same order.
    "within_subsection_order": ExplicitOrder(
        [
            "plot_first_section.py",
            "plot_block_validation.py",
            "plot_pipeline_grid_search.py",
            "plot_segy_to_horizons.py",
            "plot_cube_both_ways.py",
            "plot_larger_than_memory.py",
            "plot_doubt_away_from_lines.py",
            "plot_positions.py",
            "plot_thin_units.py",
            "plot_second_survey.py",
            "plot_own_loss_encoder.py",
            "*",
        ]
    ),
    "backreferences_dir": "auto_examples/backreferences",
    "doc_module": ("skfacies",),
    "download_all_examples": False,
    "remove_config_comments": True,
    "capture_repr": (),  # what matters is printed
    "show_signature": False,
    "write_computation_times": False,  # pages that load scripts from elsewhere
}

# --- pages ----------------------------------------------------------------------------------

has_theme = importlib.util.find_spec("pydata_sphinx_theme") is not None
html_theme = "pydata_sphinx_theme" if has_theme else "alabaster"
html_title = f"skfacies {version}"
html_static_path = ["_static"]
html_show_sourcelink = False
html_copy_source = False
if has_theme:
    html_theme_options = {
        "show_prev_next": False,
        "navigation_with_keys": False,
        "header_links_before_dropdown": 6,
        "show_toc_level": 2,
        "pygments_light_style": "a11y-high-contrast-light",
        "pygments_dark_style": "a11y-high-contrast-dark",
    }
    # Pages without pages below them have no use for the list on the left.
    single = ("changelog", "contributing", "glossary", "how_it_works", "limits", "start", "walk")
    html_sidebars = {page: [] for page in ("index", *single)}
