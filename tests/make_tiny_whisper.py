"""Trains the tiny Whisper of the tests further and stores its weights: `python -m tests.make_tiny_whisper STEPS`.

The suite trains nothing; it reads what this has stored. Without stored weights training begins anew: 4000 steps take
some twenty minutes on one core.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

from simul.models.whisper.features import HOP, STEP, LogMel
from tests.tiny_models import (
    ENGLISH,
    GERMAN,
    OUTPUTS,
    RATE,
    STORED,
    USED,
    VOCABULARY,
    WORD,
    random_words,
    tones,
    trained_whisper,
    whisper_network,
    whisper_tokenizer,
)

BATCH = 12
LENGTH = 48
HEARD, UNHEARD = 0.55, 0.45
"""A word counts when so much of it is heard; between the two an example would be unclear and is not drawn."""


class Examples:
    """Random utterances, cut at random at both ends, and what stands in them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        tokenizer = whisper_tokenizer()
        self.words = {
            language: [tokenizer.encode(" " + w).ids for w in words]
            for language, words in (("en", ENGLISH), ("de", GERMAN))
        }
        self._front_end = LogMel(80)

    def _utterance(self, room: int) -> tuple[list[int], np.ndarray, np.ndarray]:
        """Words heard, samples, and where each word lies; at most `room` samples."""
        rng = self.rng
        while True:
            words, gaps = random_words(rng, int(rng.integers(1, 7)))
            gaps[0] = int(rng.integers(0, RATE))
            samples, spans = tones(words, gaps, int(rng.integers(0, RATE)))
            begin = int(rng.integers(0, spans[-1, 0])) if rng.random() < 0.4 else 0
            end = int(rng.integers(begin + WORD, len(samples) + 1)) if rng.random() < 0.5 else len(samples)
            heard = (np.minimum(spans[:, 1], end) - np.maximum(spans[:, 0], begin)) / WORD
            if end - begin < room and not ((heard > UNHEARD) & (heard < HEARD)).any():
                chosen = np.flatnonzero(heard >= HEARD)
                return (
                    [words[i] for i in chosen],
                    samples[begin:end],
                    np.clip(spans[chosen] - begin, 0, end - begin),
                )

    def _text(self, words: list[int]) -> tuple[list[int], int, list[list[int]]]:
        """Decoder tokens of an example, the place of the task's last token, and the tokens of each word."""
        rng = self.rng
        source = "de" if rng.random() < 0.5 else "en"
        translate = source == "de" and rng.random() < 0.5
        text = self.words["en" if translate else source]
        start = [50258, 50261 if source == "de" else 50259, 50358 if translate else 50359]
        first = [50364]
        if rng.random() < 0.7:
            start, first = [*start, 50363], []
        context: list[int] = []
        if rng.random() < 0.3:
            context = [50361, *(i for w in random_words(rng, 3)[0] for i in text[w])]
        pieces = [text[w] for w in words]
        text = [*first, *(i for piece in pieces for i in piece), 50257]
        return [*context, *start, *text], len(context) + len(start) - 1, pieces

    def batch(self, size: int, frames: int) -> tuple[np.ndarray, ...]:
        """Features, decoder input, targets (-100: no loss), attention goals, and the word at each encoder step."""
        features = np.empty((size, 80, frames), np.float32)
        inputs, targets = np.full((2, size, LENGTH), 50257)
        targets[:] = -100
        goal = np.zeros((size, LENGTH, frames // 2), np.float32)
        near = np.zeros((2, size, frames // 2), np.int64)
        for k in range(size):
            words, samples, spans = self._utterance(frames * HOP)
            features[k] = self._front_end(samples)[:, :frames]
            full, first, pieces = self._text(words)
            inputs[k, : len(full) - 1] = full[:-1]
            targets[k, first : len(full) - 1] = full[first + 1 :]
            position, last = len(full) - 1 - sum(map(len, pieces)) - 1, 0
            for number, (piece, (a, b)) in enumerate(zip(pieces, spans // STEP, strict=True)):
                goal[k, position : position + len(piece), a : max(b, a + 1)] = 1
                position += len(piece)
                near[0, k, a:b] = words[number] + 1
                near[1, k, a:] = words[number - 1] + 1 if number else 0
                last = int(b)
            goal[k, position, last:] = 1
            if words:
                near[1, k, last:] = words[-1] + 1
        return features, inputs, targets, goal, near


def _softened(goal: np.ndarray) -> np.ndarray:
    """Shares of attention: most where it is wanted, and some everywhere, so that source times are well defined."""
    frames = goal.shape[-1]
    count = goal.sum(-1, keepdims=True)
    return np.where(count > 0, 0.8 * goal / np.maximum(count, 1) + 0.2 / frames, 1 / frames).astype(
        np.float32
    )


def encode(model: Any, features: Any) -> Any:
    """The encoder on any number of frames: features [batch, 80, frames] to [batch, frames / 2, d]."""
    from torch.nn.functional import gelu

    encoder = model.model.encoder
    x = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    for layer in encoder.layers:
        out = layer(x, attention_mask=None)
        x = out[0] if isinstance(out, tuple) else out
    return encoder.layer_norm(x)


def train(steps: int, seed: int = 0) -> Any:
    """A network that knows the tone language, in windows of 5, 10 and 30 s.

    Attention is guided to the tones, and the encoder is asked which word is here and which came before, so that
    minutes are enough. Only the vocabulary in use is trained.
    """
    model = (trained_whisper() if STORED.exists() else whisper_network()).train()
    examples = Examples(seed)
    used, wrote = torch.tensor(USED), len(OUTPUTS)
    place = np.zeros(VOCABULARY, np.int64)
    place[list(USED)] = np.arange(len(USED))
    decoder = model.model.decoder
    table, norm = decoder.embed_tokens.weight, decoder.layer_norm
    table.requires_grad_(False)
    small = torch.nn.Parameter(table[used].clone())
    asked = torch.nn.Linear(64, 2 * (len(ENGLISH) + 1))
    parameters = [small, *asked.parameters(), *(p for p in model.parameters() if p.requires_grad)]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        with torch.no_grad():
            # The first dimension keeps all other entries improbable.
            norm.weight[0], norm.bias[0], small[:wrote, 0], small[wrote:, 0] = 0, 8, 0, -6
        frames, size = {3: (1000, BATCH // 2), 9: (3000, 2)}.get(step % 12, (500, BATCH))
        features, inputs, targets, goal, near = examples.batch(size, frames)
        encoded = encode(model, torch.from_numpy(features))
        mask = torch.from_numpy(targets >= 0)
        out = decoder(
            inputs_embeds=small[torch.from_numpy(place[inputs])],
            encoder_hidden_states=encoded,
            output_attentions=True,
            use_cache=False,
        )
        logits = out.last_hidden_state[mask] @ small[:wrote].T
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(place[targets[targets >= 0]]))
        attended = out.cross_attentions[1].mean(1)[mask]
        wanted = torch.from_numpy(_softened(goal))[mask]
        answers = asked(encoded).unflatten(-1, (2, -1)).permute(2, 3, 0, 1).flatten(2)
        words = sum(
            torch.nn.functional.cross_entropy(answers[i].T, torch.from_numpy(near[i].ravel()))
            for i in range(2)
        )
        optimizer.zero_grad()
        (loss + 0.5 * words - 0.3 * (wanted * (attended + 1e-9).log()).sum(-1).mean()).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(
                step + 1,
                f"loss {loss.item():.4f}, attention {(attended * (wanted > 0.02)).sum(-1).mean().item():.3f}",
                flush=True,
            )
    with torch.no_grad():
        norm.weight[0], norm.bias[0], small[:wrote, 0], small[wrote:, 0] = 0, 8, 0, -6
        table[used] = small
    return model.eval()


def store(model: Any) -> None:
    """Write the weights of `model` that are not made anew, in half precision."""
    weights = {
        name: value
        for name, value in model.state_dict().items()
        if "embed_positions" not in name or "decoder" in name
    }
    table = weights.pop("model.decoder.embed_tokens.weight")
    del weights["proj_out.weight"]
    arrays = {name: value.numpy().astype(np.float16) for name, value in weights.items()}
    np.savez_compressed(STORED, used=table[list(USED)].numpy().astype(np.float16), **arrays)


if __name__ == "__main__":
    torch.set_num_threads(1)
    store(train(int(sys.argv[1])))
