"""The page: a template with style, scripts and data, in one text."""

import base64
import html
import json
import zlib
from importlib.resources import files

import numpy as np

__all__ = ["BASE64_GROWTH", "compress", "make_page"]

BASE64_GROWTH = 4 / 3

STYLES = ("style.css",)
SCRIPTS = ("data.js", "colors.js", "pane.js", "app.js")


def compress(codes):
    """Deflated bytes of sections (n_sections, n_traces, n_samples), as differences of traces.

    A browser inflates them by itself, and adds up the traces in a loop of one line.
    """
    traces = codes.reshape(-1, codes.shape[-1])
    differences = traces.copy()
    differences[1:] -= traces[:-1]  # modulo 256
    # For small differences without repetitions, this strategy saves two percent.
    deflate = zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    return deflate.compress(differences.tobytes()) + deflate.flush()


def make_page(description, chunks):
    """Text of the page.

    Parameters
    ----------
    description : dict
        What the scripts must know, with the title.
    chunks : list of (layer, first inline, bytes)
    """
    parts = {
        "title": html.escape(description["title"]),
        "style": "\n".join(map(_read, STYLES)),
        "description": _as_json(description),
        "script": "\n".join(map(_read, SCRIPTS)),
        "data": "\n".join(_as_element(*chunk) for chunk in chunks),
    }
    page = _read("page.html")
    for name, text in parts.items():
        before, mark, after = page.partition(f"<!-- {name} -->")
        assert mark, name
        page = before + text + after
    return page


def _read(name):
    return files("skfacies.viewing").joinpath(name).read_text(encoding="utf-8")


def _as_json(description):
    text = json.dumps(description, allow_nan=False, separators=(",", ":"), default=_plain)
    return text.replace("<", "\\u003c")  # "</script>" in a name would end the element


def _plain(value):
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value).__name__)


def _as_element(layer, first, data):
    text = base64.b64encode(data).decode("ascii")
    return f'<script type="text/plain" data-layer="{layer}" data-first="{first}">{text}</script>'
