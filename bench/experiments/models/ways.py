"""One model, both ways: masks by its modules, masks by its file, compared in memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import transformers
from torch import Tensor, nn

import masksolve as ms
import masksolve.torch as mst
from masksolve.errors import MasksolveError
from masksolve.torch.layouts import layouts_of

from .findings import Difference, Outcome, Run
from .make import Unmade, make
from .zoo import Architecture

__all__ = ["compare", "nothing", "starred"]

Named = Mapping[str, Tensor]


def compare(architecture: Architecture, patterns: Iterable[str]) -> Run:
    """Make a small model of an architecture, and mask it both ways under each pattern."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    run = nothing(architecture)
    try:
        model, run["made"] = make(architecture)
    except Unmade as error:
        return run | {"why": str(error)}
    with TemporaryDirectory() as folder:
        source = Path(folder, "model")
        try:
            model.save_pretrained(source)
            del model
            for pattern in patterns:
                loaded, _ = _loaded(architecture, source)
                run["parameters"] = sum(p.numel() for p in loaded.parameters())
                run["experts"] = any(".experts" in name for name, _ in loaded.named_parameters())
                target = Path(folder, re.sub(r"\W", "-", pattern))
                run["outcomes"][pattern] = _outcome(architecture, loaded, source, target, pattern)
        except Exception as error:  # transformers' own, of saving or loading what is not pruned
            run["why"] = _brief(error)
    return run


def nothing(architecture: Architecture) -> Run:
    """Return what is known before anything is compared."""
    return Run(
        model_type=architecture.model_type,
        kind=architecture.kind,
        class_name=architecture.class_name,
        made="",
        why="",
        parameters=0,
        experts=False,
        outcomes={},
    )


def starred(name: str) -> str:
    """Write numbers in a name as stars, so that layers alike have one name."""
    return re.sub(r"(?<![^.])\d+(?![^.])", "*", name)


def _loaded(architecture: Architecture, folder: Path) -> tuple[Any, dict[str, Any]]:
    model, told = architecture.model_class.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    return model, told


def _outcome(
    architecture: Architecture, model: Any, source: Path, target: Path, pattern: str
) -> Outcome:
    """Mask a model both ways; the model is changed."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    layouts = _layouts(model)
    masks, passed_over = _by_modules(model, pattern)
    left_out, refused = _by_file(source, target, pattern)
    zeros, fine = {}, True
    if not refused:
        try:
            after, told = _loaded(architecture, target)
            fine = not any(told[kind] for kind in ("missing_keys", "mismatched_keys"))
            zeros = _zeros(before, dict(after.named_parameters()))
        except Exception as error:  # transformers' own
            refused, fine = _brief(error), False
    broken = sorted(
        {starred(name) for name in zeros if not _obeys(~zeros[name], layouts.get(name), pattern)}
    )
    unlike = {
        name
        for name in masks.keys() & zeros.keys()
        if not _alike(before[name], masks[name], ~zeros[name])
    }
    differences = _differences(masks, zeros, unlike, passed_over, left_out, refused)
    parsed = ms.Pattern.parse(pattern)
    pruned = (1 - parsed.n / parsed.m) * sum(values.numel() for values in before.values())
    return Outcome(
        module_share=round(sum(float((~mask).sum()) for mask in masks.values()) / pruned, 4),
        file_share=round(sum(float(zero.sum()) for zero in zeros.values()) / pruned, 4),
        masked=len(masks),
        skipped=dict(Counter(map(_kind_of, passed_over.values()))),
        same=not differences,
        loads=fine,
        obeys=not broken,
        broken=broken,
        refused=refused,
        differences=differences,
    )


def _by_modules(model: nn.Module, pattern: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        handle = mst.sparsify(model, pattern)
    except MasksolveError as error:
        return {}, {"": str(error)}
    return {name: mask.bool() for name, mask in handle.masks.items()}, dict(handle.skipped)


def _by_file(source: Path, target: Path, pattern: str) -> tuple[dict[str, str], str]:
    """Return what was passed over, and what was said if all was refused."""
    try:
        result = ms.solve_checkpoint(source, target, pattern, apply=True)
    except MasksolveError as error:
        return {}, str(error).replace(str(source), "the folder")
    return dict(result.skipped), ""


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _layouts(model: nn.Module) -> dict[str, mst.Layout]:
    """Return the layouts that the module way knows, by the parameters' names."""
    return {
        f"{prefix}.{name}".lstrip("."): layout
        for prefix, module in model.named_modules()
        for name, layout in layouts_of(module).items()
    }


def _zeros(before: Named, after: Named) -> dict[str, Tensor]:
    """Tell where weights became zero, of those that did somewhere."""
    found = {
        name: (after[name] == 0) & (values != 0)
        for name, values in before.items()
        if name in after and after[name].shape == values.shape
    }
    return {name: zero for name, zero in found.items() if zero.any()}


def _obeys(mask: Tensor, layout: mst.Layout | None, pattern: str) -> bool:
    """Tell whether a mask obeys along the axes that the module way knows; 2-D ones are plain."""
    if layout is None and mask.ndim == 2:
        layout = mst.Layout()
    if layout is None:
        return False
    return ms.is_valid(layout.matrices(mask.numpy()), pattern, axes=layout.matrix_axes)


def _alike(values: Tensor, mask: Tensor, other: Tensor) -> bool:
    """Tell whether two masks are the same, or as good: large matrices hold equal weights."""
    kept, as_well = (float(values[one].double().abs().sum()) for one in (mask, other))
    return torch.equal(mask, other) or abs(kept - as_well) <= 1e-12 * kept


def _differences(
    masks: Named,
    zeros: Named,
    unlike: Collection[str],
    passed_over: Mapping[str, str],
    left_out: Mapping[str, str],
    refused: str,
) -> list[Difference]:
    """Name what only one way masked, or both but not alike, and what the other says of it."""
    found: Counter[tuple[str, str, str]] = Counter()
    for name in {**masks, **zeros}:
        if name not in zeros:
            found[starred(name), "module", _said(name, left_out) or refused] += 1
        elif name not in masks:
            found[starred(name), "file", _said(name, passed_over)] += 1
        elif name in unlike:
            found[starred(name), "both", ""] += 1
    return [
        Difference(name=name, count=count, chosen_by=chosen_by, why=why)
        for (name, chosen_by, why), count in found.items()
    ]


def _said(name: str, reasons: Mapping[str, str]) -> str:
    """Return what a way says of a weight, whose name may differ in its file.

    There its first parts may be others, it may be one of several that became one, and what
    is said may be of its module.
    """
    parts = name.split(".")
    tails = [f".{'.'.join(parts[k:])}" for k in range(max(1, len(parts) - 1))]
    for tail in tails:
        for other, why in reasons.items():
            if f".{other}".endswith(tail):
                return why
    family = f"{'.'.join(parts[:-1])}."
    for other, why in reasons.items():
        if other and (name.startswith(f"{other}.") or (other.startswith(family) and parts[2:])):
            return why
    return reasons.get("", "")


def _kind_of(why: str) -> str:
    """Return a reason without what differs from weight to weight."""
    return re.sub(r"\d+ x \d+", "N x N", why.split(": ")[0])
