"""Child only: find the tensors that no output can see.

A key projection's bias adds the same to every key and leaves the softmax as it is; where the
queries start at zero, the first self-attention cannot tell them apart. Two such tensors could be
exchanged and no forward pass would notice.

One pass backward in float64 shows every tensor that some output follows. What it does not show is
changed, many at once and then fewer, to see whether any output moves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch

from mm_ckpt_migrate.releases.probe import loaded_model, raw_outputs
from mm_ckpt_migrate.releases.probe.noise import made_image

_FLAT = 1e-9
"""A gradient so much smaller than others may be rounding, or nothing."""
_MOVED = 1e-10
"""Outputs that move by less, relative to their size, have not moved: float64 holds 1e-16."""
_PARTS = ("query", "key", "value")
_SPLIT = ("in_proj_weight", "in_proj_bias", "qkv.weight", "qkv.bias")


@dataclass(frozen=True)
class Part:
    """A tensor of the state dict, or a third of one that holds three projections."""

    name: str
    tensor: Any


def answer(request: dict[str, Any], models: loaded_model.Models) -> dict[str, Any]:
    """Answer an `unseen` request.

    Request, besides what `Models.loaded` reads:
        seed, size: of the image.
        budget: seconds after which what is undecided is left so.

    Returns:
        `unseen` and `untried`: names, a part as `name[key]`; `tensors`: how many were looked at;
        `seconds`.
    """
    started = time.monotonic()
    loaded = models.loaded({**request, "dtype": "float64"})
    image = torch.from_numpy(made_image(int(request["seed"]), request["size"])).double()
    parts = _parts(loaded)
    seen = _followed(loaded, image)
    search = _Search(loaded, image, started + float(request["budget"]))
    left = [part for part in parts if part.name not in seen]
    search.among([part for part in left if part.tensor.is_floating_point()])
    search.among([part for part in left if _is_counter(part)])
    for part in left:  # an index is seen, as a rule: together they would all be halved
        if not part.tensor.is_floating_point() and not _is_counter(part):
            search.among([part])
    return {
        "unseen": _whole(search.unseen),
        "untried": _whole(search.untried),
        "tensors": len(loaded.state_dict()),
        "seconds": round(time.monotonic() - started, 3),
    }


def _parts(loaded: Any) -> list[Part]:
    return [part for name, tensor in loaded.state_dict().items() for part in _split(name, tensor)]


def _split(name: str, tensor: Any) -> list[Part]:
    if not name.endswith(_SPLIT) or tensor.shape[0] % 3:
        return [Part(name, tensor)]
    chunks = zip(_PARTS, tensor.chunk(3))  # noqa: B905
    return [Part(f"{name}[{kind}]", chunk) for kind, chunk in chunks]


def _is_counter(part: Part) -> bool:
    return not part.tensor.is_floating_point() and not part.tensor.dim()


def _followed(loaded: Any, image: Any) -> set[str]:
    """The parts that the outputs have a gradient for."""
    draw = torch.Generator().manual_seed(0)
    for parameter in loaded.parameters():
        parameter.requires_grad_(True)
    loss = torch.zeros((), dtype=torch.float64)
    for value in raw_outputs.raw_outputs(loaded, image).values():
        weights = torch.randn(value.shape, generator=draw, dtype=torch.float64)
        loss = loss + (value * weights).sum()
    loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
    slopes = {
        part.name: float(part.tensor.abs().max())
        for name, gradient in _gradients(loaded).items()
        for part in _split(name, gradient)
        if part.tensor.numel()
    }
    loaded.zero_grad(set_to_none=True)
    usual = sorted(slopes.values())[len(slopes) // 2] if slopes else 0.0
    return {name for name, slope in slopes.items() if slope > _FLAT * usual}


def _gradients(loaded: Any) -> dict[str, Any]:
    """Gradients of parameters and, by the chain rule, of the averages that a batch norm uses in eval mode."""
    found = {name: p.grad for name, p in loaded.named_parameters() if p.grad is not None}
    for path, module in loaded.named_modules():
        if not isinstance(module, torch.nn.modules.batchnorm._BatchNorm) or module.training:
            continue
        weight, bias = module.weight, module.bias
        if weight is None or weight.grad is None or bias.grad is None:
            continue
        inverse = (module.running_var + module.eps).reciprocal()
        found[f"{path}.running_mean"] = bias.grad * weight.detach() * inverse.sqrt()
        found[f"{path}.running_var"] = weight.grad * weight.detach() * inverse / 2
    return found


class _Search:
    """Finds the parts whose change moves no output, by halves."""

    def __init__(self, loaded: Any, image: Any, deadline: float) -> None:
        self._loaded, self._image, self._deadline = loaded, image, deadline
        self._outputs = self._run()
        self.unseen: list[str] = []
        self.untried: list[str] = []

    def among(self, parts: list[Part]) -> None:
        """Sort the parts into those that are seen, `unseen` and `untried`."""
        if not parts:
            return
        if time.monotonic() > self._deadline:
            self.untried += [part.name for part in parts]
        elif not self._moves(parts):
            self.unseen += [part.name for part in parts]
        elif len(parts) > 1:
            half = len(parts) // 2
            self.among(parts[:half])
            self.among(parts[half:])

    def _moves(self, parts: list[Part]) -> bool:
        kept = [part.tensor.clone() for part in parts]
        try:
            for number, part in enumerate(parts):
                _change(part.tensor, number)
            found = self._run()
        finally:
            for part, tensor in zip(parts, kept):  # noqa: B905
                part.tensor.copy_(tensor)
        return any(_moved(found[name], value) for name, value in self._outputs.items())

    def _run(self) -> dict[str, Any]:
        with torch.no_grad():
            return raw_outputs.raw_outputs(self._loaded, self._image)


def _change(tensor: Any, seed: int) -> None:
    """Noise of the tensor's own size; other places in an index; another count."""
    with torch.no_grad():
        if tensor.is_floating_point():
            size = float(tensor.abs().max()) if tensor.numel() else 0.0
            draw = torch.Generator().manual_seed(seed)
            noise = torch.randn(tensor.shape, generator=draw, dtype=tensor.dtype)
            tensor.add_(noise, alpha=size / 10 or 0.1)
        elif tensor.dim():
            tensor.copy_(tensor.roll(1, 0))
        else:
            tensor.add_(1)


def _moved(found: Any, before: Any) -> bool:
    scale = float(before.abs().max())
    return not float((found - before).abs().max()) <= _MOVED * scale


def _whole(names: list[str]) -> list[str]:
    """`name` for all three of its parts."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.partition("[")[0], []).append(name)
    return [
        line for name, lines in found.items() for line in ([name] if len(lines) == len(_PARTS) else lines)
    ]
