"""Text translation by a causal language model with a chat template, from a folder of the transformers package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from policies.base import Need
from simul.errors import ModelMissingError
from simul.languages import SPACELESS
from simul.models.folder import load_network, load_processors
from simul.models.llm.prompt import instructions, messages, room
from simul.models.translation.ctranslate2 import piece_surface
from simul.models.translation.interface import TextRequest, TextResult
from simul.text import follows_word, surface

if TYPE_CHECKING:
    import torch

FAMILY = "language model"


@dataclass
class _Row:
    """One text: the token numbers given, how many may follow, and what has followed."""

    given: list[int]
    room: int
    over: bool
    ids: list[int]
    logprobs: list[float]
    ended: bool = False


class CausalTranslator:
    """Translates from `source` to `target` (ISO 639-1) greedily with the model in `folder`.

    The committed tokens are appended to the templated conversation by their numbers, so that they stand in the text
    exactly as they were written. The end of a text, or of its line, is accepted only when the source is complete:
    where the model wants to end an unfinished one, writing stops and the text stays open. device, compute: see
    `transformers_folder.load`.

    Raises:
        ModelMissingError: a package, the folder, one of its files or the chat template is missing.
        UsageError: a language is unknown.
    """

    lacks = frozenset({Need.SPANS})

    def __init__(
        self, folder: Path, source: str, target: str, device: str = "auto", compute: str = "auto"
    ) -> None:
        self.name = folder.name
        self.sources, self.targets = frozenset({source}), frozenset({target})
        self._system, self._spaces = instructions(source, target), target not in SPACELESS
        self._network, self._device = load_network(folder, "AutoModelForCausalLM", FAMILY, device, compute)
        self._tokenizer, _ = load_processors(folder, FAMILY)
        if not self._tokenizer.chat_template:
            raise ModelMissingError(
                f"The language model in {folder} has no chat template, without which it cannot be told what to do; "
                "take the variant that was trained on conversations (often called Instruct or Chat)."
            )
        self._read_vocabulary()

    def _read_vocabulary(self) -> None:
        import torch

        size = int(self._network.config.get_text_config().vocab_size)
        ends = self._network.generation_config.eos_token_id
        ends = {*(ends if isinstance(ends, list) else [ends]), self._tokenizer.eos_token_id}
        special = set(self._tokenizer.all_special_ids)
        self._surfaces = _surfaces(self._tokenizer, size)
        stops = [i in ends or "\n" in text for i, text in enumerate(self._surfaces)]
        never = [(i in special or not text) and not stops[i] for i, text in enumerate(self._surfaces)]
        grows = [not follows_word(text) and not stops[i] for i, text in enumerate(self._surfaces)]
        made = (torch.tensor(flags, device=self._device) for flags in (stops, never, grows))
        self._stops, self._never, self._grows = made

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """One result per request, in order; an empty source gives an empty result."""
        import torch

        rows = {index: self._row(r) for index, r in enumerate(requests) if r.source.strip() and room(r)}
        with torch.inference_mode():
            self._write(list(rows.values()))
        return [self._result(request, rows.get(index)) for index, request in enumerate(requests)]

    def _row(self, request: TextRequest) -> _Row:
        given = [*self._templated(request.source), *request.prefix_ids]
        return _Row(given, room(request), request.word_complete and bool(request.prefix_ids), [], [])

    def _templated(self, text: str) -> list[int]:
        """Token numbers of the conversation up to where the translation begins."""
        asked = messages(self._system, text)
        together = [{"role": "user", "content": "\n\n".join(message["content"] for message in asked)}]
        for conversation in (asked, together):
            try:
                templated = self._tokenizer.apply_chat_template(
                    conversation, tokenize=False, add_generation_prompt=True, enable_thinking=False
                )
                break
            except Exception:  # the error of a template that has no place for a system message
                if conversation is together:
                    raise
        ids: list[int] = self._tokenizer(templated, add_special_tokens=False)["input_ids"]
        return ids

    def _write(self, rows: list[_Row]) -> None:
        """Continue all rows at once, each to its end; rows are padded on the left and the padding is masked."""
        import torch
        from transformers.cache_utils import DynamicCache

        if not rows:
            return
        longest = max(len(row.given) for row in rows)
        lacks = torch.tensor([longest - len(row.given) for row in rows], device=self._device)
        ids = torch.tensor([[0] * (longest - len(r.given)) + r.given for r in rows], device=self._device)
        mask = torch.arange(longest, device=self._device) >= lacks[:, None]
        positions = (mask.long().cumsum(-1) - 1).clamp(min=0)
        cache = DynamicCache(config=self._network.config)
        while rows:
            logits = self._network(
                input_ids=ids,
                attention_mask=mask.long(),
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            written, going = self._step(rows, logits.float())
            kept = torch.tensor(going, dtype=torch.long, device=self._device)
            rows = [rows[i] for i in going]
            if len(going) < len(logits):
                cache.batch_select_indices(kept)
            ids, mask = written[kept][:, None], mask[kept]
            mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
            positions = positions[kept][:, -1:] + 1

    def _step(self, rows: list[_Row], logits: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
        """Write each row's most probable token; the tokens, and which rows go on."""
        import torch

        first = torch.tensor([row.over and not row.ids for row in rows], device=self._device)
        barred = self._never | (first[:, None] & self._grows)
        chances, written = logits.masked_fill(barred, -torch.inf).log_softmax(-1).max(-1)
        over = self._stops[written].tolist()
        going = []
        for index, (row, token, chance) in enumerate(
            zip(rows, written.tolist(), chances.tolist(), strict=True)
        ):
            if over[index]:
                row.ended = True
                continue
            row.ids.append(token)
            row.logprobs.append(chance)
            if len(row.ids) < row.room:
                going.append(index)
        return written, going

    def _result(self, request: TextRequest, row: _Row | None) -> TextResult:
        if row is None:
            return TextResult((), (), np.zeros(0), ended=not request.source.strip())
        tokens = [self._surfaces[i] for i in row.ids]
        if tokens and not request.prefix_ids and self._spaces and not tokens[0].startswith(" "):
            tokens[0] = " " + tokens[0]
        scores = np.array(row.logprobs, dtype=np.float64)
        return TextResult(tuple(tokens), tuple(row.ids), scores, None, row.ended and request.complete)


def _surfaces(tokenizer: Any, size: int) -> list[str]:
    """The text of each token number, by the way in which the tokenizer writes bytes; "" for special ones."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    pieces = tokenizer.convert_ids_to_tokens(list(range(min(size, len(tokenizer)))))
    pieces += [None] * (size - len(pieces))
    special = set(tokenizer.all_special_ids)
    decoder = json.dumps(json.loads(tokenizer.backend_tokenizer.to_str()).get("decoder"))
    by_character = {character: byte for byte, character in bytes_to_unicode().items()}
    texts = []
    for number, piece in enumerate(pieces):
        if piece is None or number in special:
            texts.append("")
        elif "ByteLevel" in decoder:
            texts.append(surface(bytes(by_character[c] for c in piece if c in by_character)))
        else:
            texts.append(piece_surface(piece))
    return texts
