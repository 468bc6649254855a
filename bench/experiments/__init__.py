"""The experiments on methods of papers: from a checkout only, ``python -m bench.experiments``."""
