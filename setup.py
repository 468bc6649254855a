"""Which packages are installed; all else stands in pyproject.toml."""

from setuptools import find_packages, setup

suite = find_packages(
    include=["bench", "bench.*"], exclude=["bench.experiments", "bench.experiments.*"]
)

setup(
    packages=[
        *find_packages(include=["masksolve", "masksolve.*"]),
        *(f"masksolve.{name}" for name in suite),  # it comes along, as a subpackage
    ],
    package_dir={"masksolve.bench": "bench"},
)
