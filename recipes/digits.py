"""A small classifier of handwritten digits, in PyTorch, on the data inside scikit-learn."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fiddle as fdl

from nemorun_cli import Reproduces, factory, recipe, track

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import nn

CLASSES = 10
SIDE = 8
SAME = Reproduces(metrics=("loss", "accuracy"), files=("model.pt",))


@dataclass(frozen=True)
class CNN:
    """Convolutions of these widths, halving the picture once, and one hidden layer."""

    widths: tuple[int, ...] = (32, 64)
    hidden: int = 128
    dropout: float = 0.2

    def build(self) -> nn.Module:
        """The module, with fresh weights."""
        from torch import nn

        layers: list[nn.Module] = [nn.Unflatten(1, (1, SIDE, SIDE))]
        for before, width in zip((1, *self.widths), self.widths):  # noqa: B905 # Python 3.8.
            layers += [nn.Conv2d(before, width, kernel_size=3, padding=1), nn.ReLU()]
        flat = self.widths[-1] * (SIDE // 2) ** 2
        return nn.Sequential(
            *layers,
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(flat, self.hidden),
            nn.ReLU(),
            nn.Dropout(self.dropout),
            nn.Linear(self.hidden, CLASSES),
        )


@dataclass(frozen=True)
class MLP:
    """Fully connected layers of these widths."""

    widths: tuple[int, ...] = (256, 128)
    dropout: float = 0.2

    def build(self) -> nn.Module:
        """The module, with fresh weights."""
        from torch import nn

        layers: list[nn.Module] = []
        for before, width in zip((SIDE * SIDE, *self.widths), self.widths):  # noqa: B905
            layers += [nn.Linear(before, width), nn.ReLU(), nn.Dropout(self.dropout)]
        return nn.Sequential(*layers, nn.Linear(self.widths[-1], CLASSES))


@dataclass(frozen=True)
class AdamW:
    """Adam with decoupled weight decay; the learning rate falls to zero along a cosine."""

    lr: float = 2e-3
    weight_decay: float = 0.01


@dataclass(frozen=True)
class Digits:
    """1,797 pictures of 8 x 8 pixels, split by the seed into training and test sets."""

    batch_size: int = 64
    test_fraction: float = 0.25

    def load(self, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Training pictures, test pictures, training labels, test labels; values in [0, 1]."""
        import torch
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        pictures, labels = load_digits(return_X_y=True)
        parts = train_test_split(
            (pictures / 16).astype("float32"),
            labels.astype("int64"),
            test_size=self.test_fraction,
            random_state=seed,
            stratify=labels,
        )
        train_x, test_x, train_y, test_y = map(torch.from_numpy, parts)
        return train_x, test_x, train_y, test_y


def train(
    model: CNN | MLP,
    optim: AdamW,
    data: Digits,
    *,
    epochs: int,
    seed: int,
) -> float:
    """The accuracy on the test set after training; leaves the weights in model.pt."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_x, test_x, train_y, test_y = (part.to(device) for part in data.load(seed))
    module = model.build().to(device)
    optimizer = torch.optim.AdamW(module.parameters(), lr=optim.lr, weight_decay=optim.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    print(f"{len(train_x)} training pictures, {len(test_x)} test pictures, on {device}")
    accuracy = 0.0
    for epoch in range(1, epochs + 1):
        module.train()
        total = 0.0
        for batch in batches(len(train_x), data.batch_size):
            loss = cross_entropy(module(train_x[batch]), train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        schedule.step()
        accuracy = share_right(module, test_x, test_y)
        mean = total / len(train_x)
        print(f"epoch {epoch:3}/{epochs}  loss {mean:.4f}  test accuracy {accuracy:.2%}")
        track.log(step=epoch, loss=mean, accuracy=accuracy)
    torch.save(module.state_dict(), "model.pt")
    print(f"final test accuracy {accuracy:.2%}")
    return accuracy


class Worker:
    """One process of a Ray cluster: what its share of a batch says of the weights."""

    def __init__(self, model: CNN | MLP, data: Digits, *, seed: int, rank: int) -> None:
        """Load the data as the driver does; what is dropped out is every worker's own."""
        import torch

        self.pictures, _, self.labels, _ = data.load(seed)
        self.module = model.build()
        torch.manual_seed(seed + 1 + rank)

    def step(
        self, weights: list[torch.Tensor], share: torch.Tensor
    ) -> tuple[list[torch.Tensor], float]:
        """The gradients of the loss summed over these pictures, and that loss."""
        import torch
        from torch.nn.functional import cross_entropy

        parameters = list(self.module.parameters())
        with torch.no_grad():
            for parameter, weight in zip(parameters, weights):  # noqa: B905
                parameter.copy_(weight)
        loss = cross_entropy(self.module(self.pictures[share]), self.labels[share], reduction="sum")
        gradients = torch.autograd.grad(loss, parameters)
        return list(gradients), loss.item()


def train_on_ray(  # noqa: PLR0913 # As `train`.
    model: CNN | MLP,
    optim: AdamW,
    data: Digits,
    *,
    epochs: int,
    seed: int,
    workers: int,
) -> float:
    """As `train`, but each batch is shared among processes of a Ray cluster."""
    import ray
    import torch
    from ray import cloudpickle

    # This file travels with what it defines: it need not be installed where the workers are.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(log_to_driver=False)
    torch.manual_seed(seed)
    train_x, test_x, _, test_y = data.load(seed)
    module = model.build()
    optimizer = torch.optim.AdamW(module.parameters(), lr=optim.lr, weight_decay=optim.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    # Spread: of a cluster, and not of one of its nodes.
    place: Any = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(Worker)
    crew = [place.remote(model, data, seed=seed, rank=rank) for rank in range(workers)]
    print(f"{len(train_x)} training pictures, {len(test_x)} test pictures, {workers} workers")
    accuracy = 0.0
    for epoch in range(1, epochs + 1):
        total = 0.0
        for batch in batches(len(train_x), data.batch_size):
            total += gather(crew, module, batch)
            optimizer.step()
        schedule.step()
        accuracy = share_right(module, test_x, test_y)
        mean = total / len(train_x)
        print(f"epoch {epoch:3}/{epochs}  loss {mean:.4f}  test accuracy {accuracy:.2%}")
        track.log(step=epoch, loss=mean, accuracy=accuracy)
    torch.save(module.state_dict(), "model.pt")
    print(f"final test accuracy {accuracy:.2%}")
    ray.shutdown()
    return accuracy


def gather(crew: list[Any], module: nn.Module, batch: torch.Tensor) -> float:
    """Have each worker look at its share of the batch; the summed loss, with the gradients set."""
    import ray

    parameters = list(module.parameters())
    weights = ray.put([each.detach() for each in parameters])
    shares = batch.tensor_split(len(crew))
    steps = [worker.step.remote(weights, share) for worker, share in zip(crew, shares)]  # noqa: B905
    told = ray.get(steps)
    for number, parameter in enumerate(parameters):
        parts = [gradients[number] for gradients, _ in told]
        parameter.grad = sum(parts[1:], parts[0]) / len(batch)
    return float(sum(loss for _, loss in told))


def batches(count: int, size: int) -> Iterator[torch.Tensor]:
    """All indices below `count` once, in random order, `size` at a time."""
    import torch

    yield from torch.randperm(count).split(size)


def share_right(module: nn.Module, pictures: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of pictures to which the module gives the right label."""
    import torch

    module.eval()
    with torch.no_grad():
        return float((module(pictures).argmax(1) == labels).float().mean())


@factory
def cnn(*, widths: tuple[int, ...] = (32, 64), dropout: float = 0.2) -> fdl.Config[CNN]:
    """A convolutional model: `model=cnn`."""
    return fdl.Config(CNN, widths=widths, hidden=128, dropout=dropout)


@factory
def mlp(*, widths: tuple[int, ...] = (256, 128), dropout: float = 0.2) -> fdl.Config[MLP]:
    """A fully connected model: `model=mlp`."""
    return fdl.Config(MLP, widths=widths, dropout=dropout)


@recipe(reproduces=SAME)
def digits(*, epochs: int = 15, seed: int = 0) -> fdl.Partial[float]:
    """A CNN that reads handwritten digits: 98 % right after some seconds on a CPU."""
    return fdl.Partial(
        train,
        model=cnn(),
        optim=fdl.Config(AdamW, lr=2e-3, weight_decay=0.01),
        data=fdl.Config(Digits, batch_size=64, test_fraction=0.25),
        epochs=epochs,
        seed=seed,
    )


@recipe(reproduces=SAME)
def digits_mlp(*, epochs: int = 30, seed: int = 0) -> fdl.Partial[float]:
    """The same with a fully connected model."""
    recipe = digits(epochs=epochs, seed=seed)
    recipe.model = mlp()
    return recipe


@recipe
def ray_digits(*, epochs: int = 15, seed: int = 0, workers: int = 2) -> fdl.Partial[float]:
    """The same CNN, trained by the workers of a Ray cluster: `-e ray`."""
    base = digits(epochs=epochs, seed=seed)
    return fdl.Partial(
        train_on_ray,
        model=base.model,
        optim=base.optim,
        data=base.data,
        epochs=epochs,
        seed=seed,
        workers=workers,
    )


@recipe(reproduces=SAME)
def digits_smoke() -> fdl.Partial[float]:
    """One epoch: shows that PyTorch and scikit-learn work where the job runs."""
    return digits(epochs=1)
