"""What hardware runs an N:M pattern today: data with a date and sources, and one rule.

A device asks for at most N of every M consecutive weights along the axis that is summed
over. Whether a pattern's masks always obey that is arithmetic (`obeys`): 1:4 and 2:8 never
keep more than two of four, so they run wherever 2:4 does, at the speed of 2:4.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import lcm
from typing import Any

from masksolve.pattern import Pattern

__all__ = ["CHECKED", "HARDWARE", "Hardware", "obeys", "runs_on", "today"]

CHECKED = "2026-11"
"""Month in which the sources were last read."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """A device that multiplies by sparse weights faster than by dense ones.

    Attributes
    ----------
    vendor, name : str
        Who makes it, and which devices.
    since : str
        The first generation that could.
    n, m : int
        It takes at most n of every m consecutive weights.
    unit : int
        Neighbours that are kept or pruned together: 1, or 2 where the pattern is pair-wise.
    dtypes : str
        The types for which the source says so.
    note : str
        What else to know.
    sources : tuple of str
        The maker's public documents that say so.
    """

    vendor: str
    name: str
    since: str
    n: int
    m: int
    unit: int
    dtypes: str
    note: str
    sources: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the record as JSON takes it."""
        return asdict(self)


CUSPARSELT = "https://docs.nvidia.com/cuda/cusparselt/"
AMPERE = "https://developer.nvidia.com/blog/exploiting-ampere-structured-sparsity-with-cusparselt/"

HARDWARE: tuple[Hardware, ...] = (
    Hardware(
        "NVIDIA",
        "GPUs with sparse tensor cores",
        "Ampere (2020)",
        2,
        4,
        1,
        "float16, bfloat16, int8, float8",
        "through cuSPARSELt; float8 since Ada and Hopper",
        (CUSPARSELT + "types.html", CUSPARSELT + "release_notes.html", AMPERE),
    ),
    Hardware(
        "NVIDIA",
        "GPUs with sparse tensor cores",
        "Ampere (2020)",
        1,
        2,
        1,
        "float32 (computed in TF32)",
        "through cuSPARSELt",
        (CUSPARSELT + "types.html", AMPERE),
    ),
    Hardware(
        "NVIDIA",
        "GPUs with sparse tensor cores",
        "Blackwell",
        4,
        8,
        2,
        "float4 (e2m1)",
        "pair-wise: of four neighbouring pairs two are kept whole, which masks of 4:8 do not obey",
        (CUSPARSELT + "types.html",),
    ),
    Hardware(
        "AMD",
        "Instinct GPUs",
        "MI300",
        2,
        4,
        1,
        "float16, bfloat16, int8",
        "through hipSPARSELt; the instructions take float8 too",
        (
            "https://rocm.docs.amd.com/projects/hipSPARSELt/en/docs-7.1.1/conceptual/"
            "mi300-features.html",
        ),
    ),
    Hardware(
        "AMD",
        "AI engines of Versal devices",
        "AIE-ML",
        2,
        4,
        1,
        "of 8 and 16 bits, such as int8 and int16",
        "types of less than 8 bits count bytes, not weights",
        (
            "https://docs.amd.com/r/en-US/ug1603-ai-engine-ml-kernel-graph/"
            "Sparse-Matrix-Multiplication",
        ),
    ),
    Hardware(
        "Huawei",
        "Ascend accelerators",
        "Atlas A2",
        2,
        4,
        1,
        "int8",
        "the instruction MmadWithSparse; not on every later product",
        (
            "https://www.hiascend.com/document/detail/zh/canncommercial/850/API/ascendcopapi/"
            "atlasascendc_api_07_0250.html",
        ),
    ),
)
"""What we found documented by its maker; not a list of all that exists."""


def obeys(pattern: Pattern | str, device: Hardware) -> bool:
    """Tell whether every mask of a pattern is one that the device takes.

    Along the rows; a transposable pattern obeys along the columns as well.

    Examples
    --------
    >>> nvidia = HARDWARE[0]
    >>> [obeys(p, nvidia) for p in ("2:4", "1:4", "2:8", "4:8", "3:4")]
    [True, True, True, False, False]
    """
    pattern = Pattern.parse(pattern)
    touched = min(_most_in_window(pattern, device.m), device.m // device.unit)
    return touched <= device.n // device.unit


def _most_in_window(pattern: Pattern, width: int) -> int:
    """Most entries that a mask keeps in an aligned window of a row."""
    n, m = pattern.n, pattern.m
    most = 0
    for start in range(0, lcm(m, width), width):
        stop, kept = start + width, 0
        for group in range(start // m * m, stop, m):
            kept += min(n, min(stop, group + m) - max(start, group))
        most = max(most, kept)
    return most


def runs_on(pattern: Pattern | str) -> tuple[Hardware, ...]:
    """List the devices that take a pattern's masks, those made for it first.

    Parameters
    ----------
    pattern : Pattern or str

    Returns
    -------
    tuple of Hardware
        Empty if none was found.

    Examples
    --------
    >>> sorted({device.vendor for device in runs_on("2:4")})
    ['AMD', 'Huawei', 'NVIDIA']
    >>> runs_on("8:16")
    ()
    """
    pattern = Pattern.parse(pattern)
    found = [device for device in HARDWARE if obeys(pattern, device)]
    return tuple(sorted(found, key=lambda device: not _made_for(device, pattern)))


def _made_for(device: Hardware, pattern: Pattern) -> bool:
    return (device.n, device.m, device.unit) == (pattern.n, pattern.m, 1)


def today(pattern: Pattern | str) -> str:
    """Say in a few words what runs a pattern.

    Examples
    --------
    >>> for text in ("2:4", "1:4", "8:16"):
    ...     print(text, "runs on:", today(text))
    2:4 runs on: NVIDIA, AMD, Huawei
    1:4 runs on: as 2:4: NVIDIA, AMD, Huawei
    8:16 runs on: none found
    """
    pattern = Pattern.parse(pattern)
    devices = runs_on(pattern)
    made = [device.vendor for device in devices if _made_for(device, pattern)]
    if made:
        return ", ".join(dict.fromkeys(made))
    # Of the wider constraints, 2:4 is the one that several makers have.
    wider = [device.vendor for device in devices if (device.n, device.m) == (2, 4)]
    return f"as 2:4: {', '.join(dict.fromkeys(wider))}" if wider else "none found"
