"""The cross-encoder in PyTorch: all-MiniLM-L6-v2 with heads for levels, red flags and expert points."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import AutoModel

from coach.judges.cross_encoder import FLAGS, TARGETS
from coach.weights import DIMENSION, model_folder
from evals.training.examples import Example

BATCH = 16


class Round(NamedTuple):
    """Some epochs in which the learning rate rises and falls to nothing."""

    epochs: int
    rate: float
    swapped: float
    """Answers put under another question, as a share of all, anew each epoch. Many from the start make the judge cautious."""


ROUNDS = (Round(3, 2e-4, swapped=0.04), Round(3, 1e-4, swapped=0.04), Round(3, 1e-4, swapped=0.08))
"""One after the other, for a network that starts anew: see evals/README.md for what each adds."""
MORE = Round(3, 1e-4, swapped=0.08)
"""For one that has learned already: the answers that are new to it, and part of the others again."""
AGAIN = 0.5
"""Factor on the first round's rate where the network does not learn at it; at 4e-4 one start in three did not."""
LEARNS, BEFORE_LEARNING = 0.9, 1.6
"""A network whose second epoch costs more than this share of its first, and more than what guessing the mean costs about,
has not learned."""
HEAD_RATE = 5.0
"""Factor on the rate for the heads, which start from nothing."""
WARM_UP = 0.1
WORD_DROP = 0.08
"""Share of tokens masked while training. Dropout inside the layers was six times slower on a CPU and no better."""
LOSS_FLAGS, LOSS_POINTS = 0.5, 0.7
OVERALL_WEIGHT = 2.0
MOST_FLAG_WEIGHT = 8.0
PAD_TO = 16
_MASK, _FIRST_WORD = 103, 1000


class Batch(NamedTuple):
    """b examples, n tokens, p points, padded."""

    ids: torch.Tensor
    types: torch.Tensor
    attention: torch.Tensor
    answer: torch.Tensor
    points: torch.Tensor
    levels: torch.Tensor
    flags: torch.Tensor
    covered: torch.Tensor


class Outputs(NamedTuple):
    """See `coach.judges.cross_encoder.Reading`; each with a batch dimension in front."""

    levels: torch.Tensor
    flags: torch.Tensor
    points: torch.Tensor
    level_tokens: torch.Tensor
    flag_tokens: torch.Tensor


class Network(nn.Module):  # type: ignore[misc] # torch has no types here
    """Encoder and heads.

    Levels: linear in the mean over the answer's tokens and in the first token. Flags: each token's say, weighted by how
    much attention the flag pays it. Points: from the mean over the point's own tokens, which have read the answer.

    Args:
        mean: labels' means, shape (len(TARGETS),).
        spread: labels' standard deviations, same shape; the network learns in units of it.
        attention: `sdpa` to train, `eager` to export.
    """

    def __init__(self, mean: Any, spread: Any, *, attention: str = "sdpa") -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(
            str(model_folder()),
            local_files_only=True,
            attn_implementation=attention,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        self.drop = nn.Dropout(0.1)
        self.level = nn.Linear(DIMENSION, len(TARGETS))
        self.first = nn.Linear(DIMENSION, len(TARGETS))
        self.flag = nn.Linear(DIMENSION, len(FLAGS))
        self.flag_attention = nn.Linear(DIMENSION, len(FLAGS))
        self.point = nn.Linear(DIMENSION, 1)
        for head in (self.level, self.first, self.flag, self.flag_attention, self.point):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        self.encoder.embeddings.requires_grad_(False)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("spread", torch.tensor(spread, dtype=torch.float32))

    def forward(self, ids: Any, types: Any, answer: Any, points: Any, attention: Any = None) -> Outputs:
        """Shapes: ids, types, answer (b, n); points (b, p, n); attention (b, n), all ones when not given."""
        attention = torch.ones_like(ids) if attention is None else attention
        hidden = self.encoder(input_ids=ids, attention_mask=attention, token_type_ids=types).last_hidden_state.float()
        share = answer / answer.sum(1, keepdim=True).clamp(min=1.0)
        said = self.level(self.drop(hidden)) - self.level.bias
        level_tokens = said * share[..., None] * self.spread
        constant = (self.level.bias + self.first(self.drop(hidden[:, 0]))) * self.spread + self.mean
        weight = (self.flag_attention(hidden) + (answer[..., None] - 1.0) * 1e4).softmax(1)
        flag_tokens = self.flag(hidden) * weight
        own = (points @ hidden) / points.sum(2, keepdim=True).clamp(min=1.0)
        return Outputs(
            levels=level_tokens.sum(1) + constant,
            flags=flag_tokens.sum(1),
            points=self.point(own)[..., 0],
            level_tokens=level_tokens,
            flag_tokens=flag_tokens,
        )


def collate(examples: Sequence[Example]) -> Batch:
    """Pad examples to one shape; labels that are not given are NaN."""
    n = -(-max(len(e.window.ids) for e in examples) // PAD_TO) * PAD_TO
    p = max(len(e.covered) for e in examples)
    b = len(examples)
    ids, types, attention = (np.zeros((b, n), dtype=np.int64) for _ in range(3))
    answer, points = np.zeros((b, n), dtype=np.float32), np.zeros((b, p, n), dtype=np.float32)
    covered = np.full((b, p), np.nan, dtype=np.float32)
    for i, example in enumerate(examples):
        window, size = example.window, len(example.window.ids)
        ids[i, :size], types[i, :size], attention[i, :size] = window.ids, window.types, 1
        answer[i, :size] = window.answer
        points[i, : len(window.points), :size] = window.points
        covered[i, : len(example.covered)] = example.covered
    levels = np.array([e.levels for e in examples], dtype=np.float32)
    flags = np.array([e.flags for e in examples], dtype=np.float32)
    return Batch(*(torch.from_numpy(x) for x in (ids, types, attention, answer, points, levels, flags, covered)))


def loss(found: Outputs, batch: Batch, network: Network, flag_weights: torch.Tensor) -> torch.Tensor:
    """Squared error of levels, cross-entropy of flags and points, summed with weights."""
    known = ~torch.isnan(batch.levels)
    weight = torch.ones(len(TARGETS))
    weight[0] = OVERALL_WEIGHT
    error = (found.levels - torch.nan_to_num(batch.levels)) / network.spread
    levels = (error**2 * known * weight).sum() / (known * weight).sum()
    flags = nn.functional.binary_cross_entropy_with_logits(found.flags, batch.flags, pos_weight=flag_weights)
    given = ~torch.isnan(batch.covered)
    covered = nn.functional.binary_cross_entropy_with_logits(found.points[given], batch.covered[given])
    return levels + LOSS_FLAGS * flags + (LOSS_POINTS * covered if given.any() else 0.0)


def multiplies_in_bf16() -> bool:
    """Whether the processor has AMX. With it bfloat16 is twice as fast as fp32, with AVX512-BF16 alone half as fast."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


Draw = Callable[[random.Random, float], Sequence[Example]]
"""The examples of an epoch, of which such a share is put under another question."""


def fit(examples: Sequence[Example], *, draw: Draw, seed: int = 0) -> Network:
    """Train a network in `ROUNDS`; the same examples and seed give the same network on the same kind of processor.

    A run that does not learn is started again at half the rate.

    Args:
        examples: whose labels set the scale.
        draw: what to train on in each epoch.
        seed: of order and masks.

    Raises:
        RuntimeError: no rate made it learn, or a later round undid it.
    """
    first, *later = ROUNDS
    for factor in (1.0, AGAIN):
        torch.manual_seed(seed)
        labels = np.array([e.levels for e in examples])
        network = Network(np.nanmean(labels, axis=0), np.nanstd(labels, axis=0))
        if train_round(network, first._replace(rate=factor * first.rate), examples, draw, seed):
            break
    else:
        raise RuntimeError("the network learns at none of the rates")
    for number, one in enumerate(later, start=1):
        if not train_round(network, one, examples, draw, seed + number):
            raise RuntimeError(f"the network unlearned what it had learned in round {number + 1}")
    return network


def train_round(network: Network, one: Round, examples: Sequence[Example], draw: Draw, seed: int) -> bool:
    """Train in place; False, and an end, as soon as the second epoch shows that a network does not learn."""
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    rng = random.Random(seed)  # noqa: S311 - an order to train in, no secret
    flag_weights = _flag_weights(examples)
    drawn = [draw(rng, one.swapped) for _ in range(one.epochs)]
    body = [p for p in network.encoder.parameters() if p.requires_grad]
    heads = [p for name, p in network.named_parameters() if not name.startswith("encoder.")]
    groups = [{"params": body, "lr": one.rate}, {"params": heads, "lr": one.rate * HEAD_RATE}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    steps = sum(-(-len(d) // BATCH) for d in drawn)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda t: min(1.0, (t + 1) / (WARM_UP * steps)) * max(0.0, (steps - t) / steps)
    )
    network.train()
    lost: list[float] = []
    for epoch, shown in enumerate(drawn):
        total = 0.0
        for chosen in _batches(shown, rng):
            batch = collate(chosen)
            wrong = loss(_run(network, batch, drop=WORD_DROP), batch, network, flag_weights)
            optimizer.zero_grad()
            wrong.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += wrong.item() * len(chosen)
        lost.append(total / len(shown))
        print(f"  rate {one.rate:g}, epoch {epoch + 1} of {one.epochs}: loss {lost[-1]:.3f}", flush=True)
        if epoch == 1 and lost[1] > LEARNS * lost[0] and lost[1] > BEFORE_LEARNING:
            return False
    network.eval()
    return True


def _flag_weights(examples: Sequence[Example]) -> torch.Tensor:
    """What a flagged example counts beside one that is not, shape (len(FLAGS),)."""
    share = np.array([e.flags for e in examples]).mean(axis=0)
    return torch.tensor(np.clip((1 - share) / np.maximum(share, 1e-3), 1, MOST_FLAG_WEIGHT), dtype=torch.float32)


def _run(network: Network, batch: Batch, *, drop: float = 0.0) -> Outputs:
    ids = batch.ids
    if drop:
        ids = ids.masked_fill((torch.rand(ids.shape) < drop) & (ids >= _FIRST_WORD), _MASK)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=multiplies_in_bf16()):
        found = network(ids, batch.types, batch.answer, batch.points, batch.attention)
    return Outputs(*(x.float() for x in found))


def _batches(examples: Sequence[Example], rng: random.Random) -> Iterator[list[Example]]:
    """Batches of like length in random order: sorting within pools keeps padding small and neighbours changing."""
    order = list(range(len(examples)))
    rng.shuffle(order)
    found = []
    for start in range(0, len(order), BATCH * 8):
        pool = sorted(order[start : start + BATCH * 8], key=lambda i: len(examples[i].window.ids))
        found += [pool[k : k + BATCH] for k in range(0, len(pool), BATCH)]
    rng.shuffle(found)
    for chosen in found:
        yield [examples[i] for i in chosen]
