"""A small GPT, in PyTorch, on the English of Python's own help pages.

Trains alone or under torchrun, keeps checkpoints, and goes on from the newest one it finds.
"""

from __future__ import annotations

import atexit
import math
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import fiddle as fdl

from nemorun_cli import recipe, track

if TYPE_CHECKING:
    import torch
    from torch import nn

BYTES = 256
KEPT = 2  # checkpoints


@dataclass(frozen=True)
class Transformer:
    """A decoder over bytes that sees `context` of them."""

    n_layer: int
    n_head: int
    n_embd: int
    context: int
    dropout: float = 0.0

    def build(self) -> nn.Module:
        """The module, with fresh weights: (batch, time) bytes to (batch, time, 256) logits."""
        import torch
        from torch import nn

        width, layers, inner = self.n_embd, self.n_layer, 4 * self.n_embd
        layer = nn.TransformerEncoderLayer(
            width, self.n_head, inner, self.dropout, "gelu", batch_first=True, norm_first=True
        )

        class GPT(nn.Module):  # type: ignore[misc, unused-ignore] # Any, where torch is not followed.
            def __init__(self, context: int) -> None:
                super().__init__()
                self.bytes = nn.Embedding(BYTES, width)
                self.places = nn.Embedding(context, width)
                self.blocks = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
                self.norm = nn.LayerNorm(width)
                for weights in self.parameters():
                    if weights.dim() > 1:
                        nn.init.normal_(weights, std=0.5 * width**-0.5)

            def forward(self, tokens: torch.Tensor) -> torch.Tensor:
                places = torch.arange(tokens.shape[1], device=tokens.device)
                mask = nn.Transformer.generate_square_subsequent_mask(len(places)).to(tokens.device)
                hidden = self.bytes(tokens) + self.places(places)
                hidden = self.norm(self.blocks(hidden, mask=mask, is_causal=True))
                return hidden @ self.bytes.weight.T

        return GPT(self.context)


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay, a warm-up of some steps, then a cosine to a tenth."""

    lr: float
    warmup: int
    weight_decay: float = 0.1
    clip: float = 1.0

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 1."""
        if step <= self.warmup:
            return self.lr * step / self.warmup
        done = (step - self.warmup) / max(1, steps - self.warmup)
        return self.lr * (0.55 + 0.45 * math.cos(math.pi * min(1.0, done)))


@dataclass(frozen=True)
class HelpPages:
    """The texts behind Python's `help()`, half a million bytes; each rank draws its own batches."""

    batch_size: int
    """Sequences a rank and step."""

    def load(self) -> torch.Tensor:
        """All of it, as bytes."""
        from pydoc_data.topics import topics

        import torch

        text = "\n\n".join(topics[name] for name in sorted(topics))
        return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8).long()

    def draw(self, text: torch.Tensor, length: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Random pieces and, shifted by one byte, what should follow; the same for one seed."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        starts = torch.randint(len(text) - length, (self.batch_size, 1), generator=generator)
        pieces = text[starts + torch.arange(length + 1)]
        return pieces[:, :-1], pieces[:, 1:]


@dataclass(frozen=True)
class Ranks:
    """This process among those of torchrun; alone without it."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    def join(cls) -> Ranks:
        """As torchrun has told it by the environment."""
        import torch

        told = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0}
        rank, world, local = (int(os.environ.get(name, told[name])) for name in told)
        cuda = torch.cuda.is_available()
        if world > 1:
            torch.distributed.init_process_group("nccl" if cuda else "gloo")
            atexit.register(torch.distributed.destroy_process_group)
        return cls(rank, world, torch.device("cuda", local) if cuda else torch.device("cpu"))

    def highest(self, number: int) -> int:
        """The highest of all ranks' numbers; all ranks have to ask."""
        from torch import distributed, tensor

        if self.world == 1:
            return number
        told = tensor(number, device=self.device)
        distributed.all_reduce(told, op=distributed.ReduceOp.MAX)
        return int(told)


def train(  # noqa: PLR0913 # A config's fields.
    model: Transformer,
    optim: AdamW,
    data: HelpPages,
    *,
    steps: int,
    seed: int,
    log_every: int,
    checkpoint_every: int,
    sample: int,
) -> None:
    """Train up to a step, from the newest checkpoint on; then print a sample of text."""
    import torch
    from torch.nn.functional import cross_entropy

    noted, ranks = note_signals(), Ranks.join()
    # In the run's own folder every attempt finds them.
    folder = Path(os.environ.get("NEMORUN_RUN_DIR", "."), "checkpoints")
    torch.manual_seed(seed)
    module = model.build().to(ranks.device)
    replica = module if ranks.world == 1 else torch.nn.parallel.DistributedDataParallel(module)
    optimizer = torch.optim.AdamW(module.parameters(), weight_decay=optim.weight_decay)
    begun = newest_state(folder, module, optimizer)
    text = data.load()
    report = Report(ranks.rank == 0, log_every, data.batch_size * model.context * ranks.world)
    report.say(f"{len(text):,} bytes of text, {ranks.world} x {ranks.device}, after step {begun}")
    for step in range(begun + 1, steps + 1):
        rate = optimizer.param_groups[0]["lr"] = optim.rate(step, steps)
        batch = data.draw(text, model.context, seed + step * ranks.world + ranks.rank)
        now, then = (part.to(ranks.device) for part in batch)
        loss = cross_entropy(replica(now).flatten(0, 1), then.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), optim.clip)
        optimizer.step()
        report.note(step, steps, loss.item(), rate)
        number = ranks.highest(max(noted, default=0))
        if ranks.rank == 0 and (number or step % checkpoint_every == 0 or step == steps):
            save(folder, step, module, optimizer)
        if number:
            ranks.highest(0)  # The first rank has saved when it answers.
            end_by(number)
    report.say(f"a sample:\n{written(module, text[: model.context], sample)}")


class Report:
    """Prints and tracks the mean loss since it last did, every so many steps, on one rank."""

    def __init__(self, speaks: bool, every: int, tokens: int) -> None:  # noqa: FBT001
        self.speaks, self.every, self.tokens = speaks, every, tokens
        self.losses: list[float] = []
        self.since = time.perf_counter()

    def say(self, text: str) -> None:
        """Print, where this rank speaks."""
        if self.speaks:
            print(text)

    def note(self, step: int, steps: int, loss: float, rate: float) -> None:
        """Take note of a step, and tell if it is time."""
        self.losses.append(loss)
        if step % self.every and step not in (1, steps):
            return
        now, count = time.perf_counter(), len(self.losses)
        mean, speed = sum(self.losses) / count, self.tokens * count / (now - self.since)
        self.since, self.losses = now, []
        self.say(f"step {step:5}/{steps}  loss {mean:.4f}  lr {rate:.1e}  {speed:,.0f} tokens/s")
        track.log(step=step, loss=mean, lr=rate, tokens_per_second=speed)


def newest_state(folder: Path, module: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """The step after which to go on, its state loaded; 0 if none was saved."""
    import torch

    saved = sorted(folder.glob("step-*.pt"))
    if not saved:
        return 0
    state = torch.load(saved[-1], map_location="cpu", weights_only=True)
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def save(folder: Path, step: int, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Keep the state after a step, whole or not at all; drop all but the newest."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    states = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
    part = folder / f"part-{os.getpid()}"
    torch.save({"step": step, **states}, part)
    part.replace(folder / f"step-{step:07}.pt")
    for old in sorted(folder.glob("step-*.pt"))[:-KEPT]:
        old.unlink()


def note_signals() -> list[int]:
    """A list that SIGTERM and SIGUSR2 add their number to, so that a step can end and be saved."""
    noted: list[int] = []
    for number in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, lambda number, _: noted.append(number))
    return noted


def end_by(number: int) -> None:
    """End by the signal itself, so that whoever waits sees the truth."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def written(module: nn.Module, prompt: torch.Tensor, length: int) -> str:
    """What the module goes on to write after a prompt."""
    import torch

    module.eval()
    context = len(prompt)
    tokens = prompt[None].to(next(module.parameters()).device)
    with torch.no_grad():
        for _ in range(length):
            chances = (module(tokens[:, -context:])[:, -1] / 0.7).softmax(-1)
            tokens = torch.cat([tokens, chances.multinomial(1)], dim=1)
    return bytes(tokens[0, context:].tolist()).decode(errors="replace")


SIZES = {
    "tiny": {"n_layer": 3, "n_head": 4, "n_embd": 96, "context": 96},
    "small": {"n_layer": 6, "n_head": 6, "n_embd": 384, "context": 256},
    "medium": {"n_layer": 12, "n_head": 12, "n_embd": 768, "context": 512},
}
STEPS = {"tiny": 600, "small": 2000, "medium": 5000}


@recipe
def gpt(*, size: Literal["tiny", "small", "medium"] = "tiny", seed: int = 0) -> fdl.Partial[None]:
    """A GPT over bytes; `tiny` learns words in a minute on two cores, the others want a GPU."""
    return fdl.Partial(
        train,
        model=fdl.Config(Transformer, **SIZES[size], dropout=0.0),
        optim=fdl.Config(AdamW, lr=3e-3 if size == "tiny" else 6e-4, warmup=40),
        data=fdl.Config(HelpPages, batch_size=16 if size == "tiny" else 32),
        steps=STEPS[size],
        seed=seed,
        log_every=10,
        checkpoint_every=100,
        sample=200,
    )


@recipe
def gpt_smoke() -> fdl.Partial[None]:
    """Twenty steps of a tiny model: shows that training and checkpoints work, in seconds."""
    recipe = gpt(size="tiny")
    recipe.steps = 20
    recipe.checkpoint_every = 10
    return recipe
