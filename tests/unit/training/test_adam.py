"""Adam without torch's class: its steps to the bit, also gone on with, and nothing of torch's compiler is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from deepfactor.training.adam import Adam


def networks(n: int) -> list[nn.Module]:
    """Equal ones; the last layer is left out of some steps."""
    made = []
    for _ in range(n):
        torch.manual_seed(3)
        made.append(nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)))
    return made


def gradients(network: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(11, 5, generator=generator)
    network.zero_grad()
    first, act, last = network.children()
    out = act(first(x)) if step in (0, 3) else last(act(first(x)))
    out.square().mean().backward()


def test_steps_are_those_of_torchs_class_to_the_bit() -> None:
    ours, theirs = networks(2)
    adam, reference = Adam(ours.parameters(), 3e-3), torch.optim.Adam(theirs.parameters(), lr=3e-3, fused=True)
    for step in range(8):
        if step == 5:  # go on from what was kept
            kept = {name: value.clone() for name, value in adam.tensors().items()}
            adam = Adam(ours.parameters(), 3e-3)
            adam.restore(kept)
        for network, optimizer in ((ours, adam), (theirs, reference)):
            gradients(network, step)
            optimizer.step()
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(one, other), step
    state = reference.state_dict()["state"]
    assert {name: value.tolist() for name, value in adam.tensors().items()} == {
        f"{i}/{name}": value.tolist() for i, one in state.items() for name, value in one.items()
    }
    assert adam.tensors()["0/step"] == 8
    assert adam.tensors()["3/step"] == 6


@pytest.mark.parametrize(
    "wrong", [{"9/exp_avg": torch.zeros(1)}, {"0/exp_avg": torch.zeros(2)}, {"exp_avg": torch.zeros(1)}]
)
def test_what_is_another_networks_is_refused(wrong: dict[str, torch.Tensor]) -> None:
    with pytest.raises((LookupError, ValueError)):
        Adam(networks(1)[0].parameters(), 1e-3).restore(wrong)


FIT = """
import sys
from pathlib import Path
from support.training import stored, toy_jobs, toy_training
from deepfactor.training.engine import run_jobs
from deepfactor.training.jobs import is_done

folder, data = Path(sys.argv[1]), toy_training()
jobs = toy_jobs(data)
run_jobs(jobs, stored(data, folder), folder, workers=0)
assert all(is_done(folder, job) for job in jobs)
print(sorted(name for name in sys.modules if name.startswith(("torch._dynamo", "torch._inductor"))))
"""


def test_training_imports_nothing_of_torchs_compiler(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}
    command = [sys.executable, "-c", FIT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
