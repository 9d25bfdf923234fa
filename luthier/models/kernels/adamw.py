"""torch's AdamW with its step computed by compiled code, for a model whose layers are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
import torch

from luthier.models.kernels.layers import zeros_like
from luthier.models.native.adamw import Moves, Pace, Packing, Weight
from luthier.schema import Float32, Int64

LEAST = 1e-6
"""Added to the norm when gradients are clipped, as torch does."""


class Packer(Protocol):
    """Who needs to know that weights moved: the compiled layers, which hold them packed."""

    workers: int

    def packing(self, weight: torch.nn.Parameter) -> Packing | None:
        """Return where a weight is packed; ``None`` when it is not."""

    def known_squares(self, weights: Iterable[torch.nn.Parameter]) -> tuple[list[bool], float]:
        """Return whose gradients' squares are added up already, and their sum."""

    def expect_notice(self) -> None:
        """Take note that ``moved`` will be called whenever weights have moved."""

    def moved(self) -> None:
        """Take note that all weights are packed as they are now."""


class CompiledAdamW(torch.optim.AdamW):
    """The same state and the same steps but for rounding: checkpoints of either go on with the other."""

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, packer: Packer) -> None:
        """Take float32 weights on the CPU, without gaps."""
        super().__init__(groups, lr=lr, fused=True)  # as a checkpoint tells the optimiser that goes on from it
        self._packer = packer
        packer.expect_notice()
        self._weights = self._listed()
        self._seen: list[tuple[int, ...]] = []
        """Where weights, moments and counts lay when the table was made: anybody may put others there."""
        self._moves: Moves | None = None
        self._steps: Float32 = np.zeros(len(self._weights), np.float32)
        """Taken by each weight; the counts in the state are views of these."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # torch's may return a loss
        """Move the weights by their gradients.

        Raises:
            ValueError: there is a closure: nothing here computes a loss again.
        """
        if closure is not None:
            raise ValueError("this AdamW takes no closure")
        self.step_clipped(float("inf"))

    @torch.no_grad()
    def step_clipped(self, max_norm: float) -> float:
        """Move the weights by gradients whose norm over all weights is at most ``max_norm``.

        Returns:
            The norm before clipping.
        """
        moves, gradients = self._ready(), self._gradients()
        known, squares = self._packer.known_squares(weight for weight, _ in self._weights)
        norm = float(np.hypot(moves.norm(gradients, known), squares**0.5))
        moves.move(gradients, self._pace(gradients > 0), self.defaults["betas"], self.defaults["eps"],
                   min(1.0, max_norm / (norm + LEAST)))
        self._packer.moved()
        return norm

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Let go of the gradients; torch's own takes a millisecond to ask who listens."""
        if not set_to_none:
            raise ValueError("this AdamW lets go of gradients: it does not clear them")
        for weight, _ in self._weights:
            weight.grad = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from another optimiser's state."""
        super().load_state_dict(state_dict)
        self._weights = self._listed()  # torch made new groups

    def _listed(self) -> list[tuple[torch.nn.Parameter, dict[str, Any]]]:
        return [(weight, group) for group in self.param_groups for weight in group["params"]]

    def _pace(self, moving: Any) -> Pace:
        """Count the step, and return how far each weight goes."""
        self._steps += moving
        (beta1, beta2), steps = self.defaults["betas"], np.maximum(self._steps, 1).astype(np.float64)
        rates = np.array([group["lr"] for _, group in self._weights])
        decays = np.array([group["weight_decay"] for _, group in self._weights])
        return Pace(*(numbers.astype(np.float32) for numbers in (
            rates / (1 - beta1**steps), (1 - beta2**steps) ** -0.5, 1 - rates * decays)))

    def _gradients(self) -> Int64:
        return np.array([0 if weight.grad is None else _flat(weight).data_ptr() for weight, _ in self._weights])

    def _ready(self) -> Moves:
        """Return the table of where everything lies, made anew when something lies elsewhere."""
        if self._moves is None or self._seen != self._look():
            self._start()
            steps = [float(self.state[weight]["step"]) for weight, _ in self._weights]
            self._steps = np.array(steps, np.float32)
            for number, (weight, _) in enumerate(self._weights):
                self.state[weight]["step"] = torch.from_numpy(self._steps)[number]
            self._moves = Moves([self._place(weight) for weight, _ in self._weights], self._packer.workers)
            self._seen = self._look()
        return self._moves

    def _look(self) -> list[tuple[int, ...]]:
        return [(weight.data_ptr(), *(tensor.data_ptr() for tensor in self.state[weight].values()))
                for weight, _ in self._weights]

    def _place(self, weight: torch.nn.Parameter) -> Weight:
        state = self.state[weight]
        return Weight(weight.data_ptr(), state["exp_avg"].data_ptr(), state["exp_avg_sq"].data_ptr(), weight.numel(),
                      self._packer.packing(weight))

    def _start(self) -> None:
        """Make the moments, of all weights at once."""
        weights = [weight for weight, _ in self._weights if not self.state[weight]]
        for name in ("exp_avg", "exp_avg_sq"):
            for weight, zeros in zip(weights, zeros_like(weights) if weights else (), strict=True):
                self.state[weight][name] = zeros
        for weight in weights:
            self.state[weight]["step"] = torch.zeros((), dtype=torch.float32)


def _flat(weight: torch.nn.Parameter) -> Any:
    """Return the gradient without gaps."""
    if weight.grad is not None and not weight.grad.is_contiguous():
        weight.grad = weight.grad.contiguous()
    return weight.grad
