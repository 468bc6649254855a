"""Sphinx settings for ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

from importlib.metadata import version as installed_version
from importlib.util import find_spec

project = "masksolve"
author = "the masksolve authors"
copyright = author
version = release = installed_version("masksolve")

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build"]
if find_spec("torch") is None:  # the pages that need it to be built
    pages = ("adaprune", "api-torch", "dst", "filters", "prune", "training")
    exclude_patterns += [f"{page}.md" for page in pages]
    suppress_warnings = ["toc.excluded", "myst.xref_missing"]
root_doc = "index"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"  # single backticks in docstrings link where they can
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc sections say it in words
numpydoc_show_class_members = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"masksolve {release}"
html_copy_source = False
html_show_sphinx = False
