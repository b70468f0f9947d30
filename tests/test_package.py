"""Promises of the package as a whole: names, layers of imports, docstrings, documented code."""

import ast
import doctest
import graphlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import skfacies

PACKAGE = Path(skfacies.__file__).parent
DOCS = PACKAGE.parent / "docs"

PUBLIC = {
    "skfacies": [
        "AmplitudeScaler",
        "CubeSegmenter",
        "CubeToSections",
        "FaciesSegmenter",
        "__version__",
    ],
    "skfacies.benchmark": ["f3_benchmark"],
    "skfacies.datasets": ["fetch_f3", "load_sections", "make_facies_cube"],
    "skfacies.horizons": [
        "contacts_from_probabilities",
        "horizons_from_labels",
        "labels_from_horizons",
        "read_horizon",
        "read_horizons",
        "read_intervals",
        "write_horizon",
    ],
    "skfacies.io": ["open_cube", "write_cube"],
    "skfacies.metrics": [
        "contact_error",
        "facies_confusion_matrix",
        "facies_report",
        "iou_score",
        "iou_scorer",
        "mean_class_accuracy_score",
        "mean_class_accuracy_scorer",
        "pixel_accuracy_score",
        "pixel_accuracy_scorer",
    ],
    "skfacies.model_selection": ["BlockKFold", "BlockShuffleSplit"],
    "skfacies.persistence": ["export_onnx", "load_model", "model_card", "save_model"],
    "skfacies.plotting": [
        "FaciesConfusionDisplay",
        "FoldsDisplay",
        "HorizonDisplay",
        "SectionDisplay",
        "TrainingDisplay",
    ],
    "skfacies.postprocessing": ["labels_in_order", "smooth_along_dip"],
    "skfacies.preprocessing": ["AmplitudeScaler", "CubeToSections"],
    "skfacies.qc": ["check_survey", "mistie", "prediction_entropy", "suggest_lines"],
    "skfacies.viewing": ["write_view"],
}

#: Floor of each module and folder, from the table of CONTRIBUTING.md.
FLOORS = {
    name: int(floor)
    for floor, name in re.findall(
        r"^\| (\d+) \| `(\w+)` \|",
        (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8"),
        flags=re.MULTILINE,
    )
}


# --- public names ---------------------------------------------------------------------------


def test_every_public_module_is_in_the_list():
    modules = {
        f"skfacies.{path.stem}" for path in PACKAGE.glob("[!_]*") if path.suffix in ("", ".py")
    }
    assert modules | {"skfacies"} == set(PUBLIC)


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_exactly_these_and_sorted(module):
    assert importlib.import_module(module).__all__ == PUBLIC[module] == sorted(PUBLIC[module])


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_can_be_imported(module):
    for name in PUBLIC[module]:
        public = getattr(importlib.import_module(module), name)
        assert getattr(public, "__name__", name) == name
        assert getattr(public, "__module__", "skfacies").startswith("skfacies")


def test_dir_lists_names_that_are_not_imported_yet():
    assert dir(skfacies) == PUBLIC["skfacies"]


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(
        AttributeError, match="module 'skfacies' has no attribute 'FaciesSegmentor'"
    ):
        skfacies.FaciesSegmentor  # noqa: B018


def test_version_is_that_of_the_installed_package():
    assert skfacies.__version__ == importlib.metadata.version("skfacies")


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_waiting_threads_sleep_soon_unless_the_user_has_settings(monkeypatch, given, expected):
    monkeypatch.setattr(os, "environ", dict(given))
    runpy.run_path(skfacies.__file__)
    assert os.environ.get("GOMP_SPINCOUNT") == expected


# --- imports --------------------------------------------------------------------------------


def imported_modules(source, module, known):
    """Modules of the package that `source` imports, at the top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module if module + ".__init__" in known else module.rpartition(".")[0]
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if name in known else base for name in names}
    return {name for name in found if name.split(".")[0] == "skfacies"}


def room(module):
    """The module or folder directly below the package that a module lies in."""
    return module.removeprefix("skfacies.").partition(".")[0]


def import_faults(sources):
    """Describe imports in ``{module: source}`` that do not go downwards, and unknown modules."""
    faults, inside = [], {}
    for module, source in sources.items():
        imports = imported_modules(source, module, sources)
        if module == "skfacies":
            faults += [f"skfacies imports {name}" for name in imports - {"skfacies._version"}]
            continue
        if room(module) not in FLOORS:
            faults.append(f"{module} has no floor")
            continue
        inside[module] = {name for name in imports if room(name) == room(module)}
        for name in imports - inside[module]:
            if room(name) not in FLOORS:
                faults.append(f"{module} imports {name}, which has no floor")
            elif FLOORS[room(name)] >= FLOORS[room(module)]:
                faults.append(f"{module} imports {name}")
    try:
        graphlib.TopologicalSorter(inside).prepare()
    except graphlib.CycleError as error:
        faults.append(f"circle: {' <- '.join(error.args[1])}")
    return sorted(faults)


def package_sources():
    sources = {}
    for path in PACKAGE.rglob("*.py"):
        parts = ("skfacies", *path.relative_to(PACKAGE).with_suffix("").parts)
        sources[".".join(parts).removesuffix(".__init__")] = path.read_text(encoding="utf-8")
    return sources


def test_imports_go_strictly_downwards():
    assert import_faults(package_sources()) == []


def test_the_table_has_no_module_that_is_not_there():
    assert FLOORS.keys() == {room(module) for module in package_sources()} - {"skfacies"}


def test_folders_say_what_they_are_for_and_may_import():
    for folder in PACKAGE.glob("_*/__init__.py"):
        docstring = ast.get_docstring(ast.parse(folder.read_text(encoding="utf-8")))
        assert re.search(r"^Imports ", docstring, flags=re.MULTILINE), folder


def test_import_check_finds_what_it_is_for():
    sources = {
        "skfacies": "from skfacies._version import __version__\nimport skfacies._nn.data",
        "skfacies._nn.data": "from skfacies._nn import training",
        "skfacies._nn.network": "def f():\n    from skfacies._cli.demo import run",
        "skfacies._nn.training": "from skfacies._sections import undefined\nfrom .data import f",
        "skfacies._estimators.segmenter": "from skfacies import metrics\nfrom .. import benchmark",
        "skfacies._sections.validation": "import numpy\nfrom skfacies import AmplitudeScaler",
        "skfacies.horizon": "import numpy",
        "skfacies.metrics": "from skfacies.io import open_cube",
        "skfacies._cli.demo": "",
        "skfacies.benchmark": "",
    }
    assert import_faults(sources) == [
        "circle: skfacies._nn.data <- skfacies._nn.training <- skfacies._nn.data",
        "skfacies imports skfacies._nn.data",
        "skfacies._estimators.segmenter imports skfacies.benchmark",
        "skfacies._nn.network imports skfacies._cli.demo",
        "skfacies._sections.validation imports skfacies, which has no floor",
        "skfacies.horizon has no floor",
        "skfacies.metrics imports skfacies.io",
    ]


def test_light_modules_import_neither_torch_nor_matplotlib():
    program = (
        "import importlib, sys\n"
        f"for module in {list(PUBLIC)}:\n"
        "    importlib.import_module(module)\n"
        "heavy = {'torch', 'torchvision', 'skorch', 'segmentation_models_pytorch', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


# --- docstrings -----------------------------------------------------------------------------


def read_sections(docstring):
    """Return ``{title: text}`` of a numpydoc docstring; the summary is under ``""``."""
    pieces = re.split(r"^([A-Z].*)\n-{3,}$", inspect.cleandoc(docstring or ""), flags=re.MULTILINE)
    return {"": pieces[0], **dict(zip(pieces[1::2], pieces[2::2], strict=True))}


def read_parameters(text):
    """Return ``{name: type}`` of a Parameters section; lines of descriptions are indented."""
    parameters = {}
    for line in re.findall(r"^\S.*$", text, flags=re.MULTILINE):
        names, _, kind = line.partition(" : ")
        parameters |= {name.lstrip("*"): kind for name in names.split(", ")}
    return parameters


def docstring_faults(obj):
    """Describe what the docstring of a function, class or method says wrongly or leaves out."""
    sections = read_sections(obj.__doc__)
    if not re.match(r"\S.*\.(\n\n|\n?$)", sections[""]):
        return ["no summary of one line, with a full stop"]
    documented = read_parameters(sections.get("Parameters", ""))
    signature = inspect.signature(obj).parameters
    expected = {name: p.default for name, p in signature.items() if name not in ("self", "cls")}
    faults = [f"{name} is not documented" for name in expected if name not in documented]
    faults += [f"{name} is no parameter" for name in documented if name not in expected]
    for name in expected.keys() & documented.keys():
        stated = documented[name].partition("default=")[2]
        if expected[name] is inspect.Parameter.empty and stated:
            faults.append(f"{name} has no default; documented is {stated}")
        # `y : None` is ignored, and "as in fit" has no type
        elif expected[name] is not inspect.Parameter.empty and documented[name] not in ("", "None"):
            if not stated:
                faults.append(f"the default of {name} is not documented")
            elif not is_default(stated, expected[name]):
                faults.append(
                    f"the default of {name} is {expected[name]!r}; documented is {stated}"
                )
    is_method = "." in obj.__qualname__
    if not is_method and ">>> " not in sections.get("Examples", ""):
        faults.append("no example")
    return sorted(faults)


def is_default(stated, default):
    """Tell whether the words after ``default=`` mean `default`."""
    try:
        value = eval(stated, {"__builtins__": {}, "np": np, "numpy": np})
    except (NameError, SyntaxError):
        return False
    return value is default or (type(value) is type(default) and value == default)


def public_callables(name, obj):
    """Yield a function, or a class and the public methods that it defines, with their names."""
    if inspect.isfunction(obj) or inspect.isclass(obj):
        yield name, obj
    if inspect.isclass(obj):
        for method, value in vars(obj).items():
            value = getattr(value, "__func__", value)  # of a classmethod
            if inspect.isfunction(value) and not method.startswith("_"):
                yield f"{name}.{method}", value


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in PUBLIC.items() for name in names]
)
def test_docstring_agrees_with_the_signature(module, name):
    public = getattr(importlib.import_module(module), name)
    faults = {path: docstring_faults(obj) for path, obj in public_callables(name, public)}
    assert {path: found for path, found in faults.items() if found} == {}


def test_docstring_check_finds_what_it_is_for():
    def bad(section, depth, *, level=0.5, unit="ms", tidy=True, **options):
        """Summarize in one line.

        Parameters
        ----------
        section : array-like of shape (n_traces, n_samples), default=None
            Amplitudes.
        levels, depth : float
            A wrong name.
        level : float, default=0.25
            Has changed.
        unit : str, default="ms"
            Is right.
        tidy : bool
            Lacks its default.
        **options : dict
            Is right.

        Examples
        --------
        None
        """

    bad.__qualname__ = "bad"
    assert docstring_faults(bad) == [
        "levels is no parameter",
        "no example",
        "section has no default; documented is None",
        "the default of level is 0.5; documented is 0.25",
        "the default of tidy is not documented",
    ]
    bad.__doc__ = "Run on and\non"
    assert docstring_faults(bad) == ["no summary of one line, with a full stop"]


# --- documentation --------------------------------------------------------------------------


#: Pages that train for seconds.
SLOW = ["cubes.rst", "large_cubes.rst", "new_surveys.rst", "scikit-learn.rst"]
SLOW += ["sparse_picks.rst", "validation.rst"]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.slow] * (page.name in SLOW))
        for page in sorted(DOCS.glob("*.rst"))
    ],
)
def test_code_in_the_documentation_runs(page):
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, _ = doctest.testfile(
        str(page), module_relative=False, optionflags=options, encoding="utf-8"
    )
    assert failed == 0
