"""One model, both ways: masks by its modules, masks by its file, compared in memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
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

from .differences import Way, differences, general, starred
from .findings import Broken, Outcome, Run
from .make import Unmade, make
from .origins import origins
from .zoo import Architecture

__all__ = ["compare", "nothing"]

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
            model, told = _loaded(architecture, source)
        except Exception as error:  # transformers' own, of a model that was not pruned
            return run | {"why": f"dense, as it is: {_brief(error)}"}
        if told["missing_keys"]:
            return run | {"why": "dense, as it is: what was saved is not found again at loading"}
        run["parameters"] = sum(p.numel() for p in model.parameters())
        run["experts"] = any(".experts" in name for name, _ in model.named_parameters())
        for pattern in patterns:
            target = Path(folder, re.sub(r"\W", "-", pattern))
            run["outcomes"][pattern] = _outcome(architecture, model, source, target, pattern)
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


def _loaded(architecture: Architecture, folder: Path) -> tuple[Any, dict[str, Any]]:
    model, told = architecture.model_class.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    return model, told


def _outcome(
    architecture: Architecture, model: Any, source: Path, target: Path, pattern: str
) -> Outcome:
    """Mask a model both ways, by copies of it."""
    weights = {name: p.detach() for name, p in model.named_parameters()}
    layouts, holders = _layouts(model), _holders(model)
    modules = _by_modules(deepcopy(model), pattern)
    file, loads = _by_file(architecture, weights, source, target, pattern)
    broken = {
        (starred(name), holders[name])
        for name, mask in file.masks.items()
        if not _obeys(mask, layouts.get(name), pattern)
    }
    only = {name: weights[name] for name in modules.masks.keys() - file.masks.keys()}
    for name, called in origins(source, file.reasons.keys(), only).items():
        file.reasons[name] = file.reasons[called]
    unlike = differences(modules, file, weights, holders)
    parsed = ms.Pattern.parse(pattern)
    pruned = (1 - parsed.n / parsed.m) * sum(values.numel() for values in weights.values())
    module_share, file_share = (
        round(sum(float((~mask).sum()) for mask in way.masks.values()) / pruned, 4)
        for way in (modules, file)
    )
    return Outcome(
        module_share=module_share,
        file_share=file_share,
        masked=len(modules.masks),
        skipped=dict(Counter(map(general, modules.reasons.values()))),
        same=not unlike,
        loads=loads,
        obeys=not broken,
        broken=[Broken(name=name, module=module) for name, module in sorted(broken)],
        refused=file.refused,
        differences=unlike,
    )


def _by_modules(model: nn.Module, pattern: str) -> Way:
    try:
        handle = mst.sparsify(model, pattern)
    except MasksolveError as error:
        return Way({}, {}, str(error))
    masks = {name: mask.bool() for name, mask in handle.masks.items()}
    return Way(masks, dict(handle.skipped), "")


def _by_file(
    architecture: Architecture, weights: Named, source: Path, target: Path, pattern: str
) -> tuple[Way, bool]:
    """Prune a file and load it: masks are what became zero; tell also whether it loads whole."""
    try:
        reasons = dict(ms.solve_checkpoint(source, target, pattern, apply=True).skipped)
    except MasksolveError as error:
        return Way({}, {}, str(error).replace(str(source), "the folder")), True
    try:
        after, told = _loaded(architecture, target)
    except Exception as error:  # transformers' own
        return Way({}, reasons, _brief(error)), False
    whole = not (told["missing_keys"] or told["mismatched_keys"])
    return Way(_masks(weights, dict(after.named_parameters())), reasons, ""), whole


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _layouts(model: nn.Module) -> dict[str, mst.Layout]:
    """Return the layouts that the module way knows, by the parameters' names."""
    return {
        f"{prefix}.{name}".lstrip("."): layout
        for prefix, module in model.named_modules()
        for name, layout in layouts_of(module).items()
    }


def _holders(model: nn.Module) -> dict[str, str]:
    """Return the types of the modules that hold parameters, by the parameters' names."""
    return {
        f"{prefix}.{name}".lstrip("."): type(module).__name__
        for prefix, module in model.named_modules()
        for name, _ in module.named_parameters(recurse=False)
    }


def _masks(before: Named, after: Named) -> dict[str, Tensor]:
    """Tell where weights stayed, of those that became zero somewhere."""
    found = {
        name: (after[name] != 0) | (values == 0)
        for name, values in before.items()
        if name in after and after[name].shape == values.shape
    }
    return {name: mask for name, mask in found.items() if not mask.all()}


def _obeys(mask: Tensor, layout: mst.Layout | None, pattern: str) -> bool:
    """Tell whether a mask obeys along the axes that the module way knows.

    What it does not know, of two dimensions, is taken as (output, input).
    """
    if layout is None and mask.ndim == 2:
        layout = mst.Layout()
    if layout is None:
        return False
    return ms.is_valid(layout.matrices(mask.numpy()), pattern, axes=layout.matrix_axes)
