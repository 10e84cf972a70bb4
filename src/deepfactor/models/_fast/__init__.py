"""Faster forms of what the models say in stock torch layers, by the compiled GRU (`_kernels`).

A model's file is its paper: stock layers, top to bottom. Where its forward pass asks this room first, it gets the same
numbers from the same parameters, and the same gradients, both up to rounding (tests/contracts/test_fast.py), or None:
no compiled kernel that runs here, another device or type than float32 on the CPU, a hidden size that is no multiple of
16, or somebody wants the gradient of the windows. Then the stock layers run.
"""

from deepfactor.models._fast.decomp_gru import decomp_gru_states, decomp_gru_step
from deepfactor.models._fast.gru import bi_gru_steps, gru_last
from deepfactor.models._fast.patch_gru import front_last, front_of, patch_gru_last, patch_gru_step, patch_gru_steps

__all__ = [
    "bi_gru_steps",
    "decomp_gru_states",
    "decomp_gru_step",
    "front_last",
    "front_of",
    "gru_last",
    "patch_gru_last",
    "patch_gru_step",
    "patch_gru_steps",
]
