"""Text translation by a causal language model with a chat template, from a folder of the transformers package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from policies.base import Need
from simul.decoding.interface import Hypothesis, Prompt
from simul.errors import ModelMissingError
from simul.languages import SPACELESS
from simul.models.folder import load_network, load_processors
from simul.models.llm.prompt import instructions, messages, room
from simul.models.translation.ctranslate2 import piece_surface
from simul.models.translation.interface import TextRequest, TextResult
from simul.text import follows_word, surface

FAMILY = "language model"


class CausalTranslator:
    """Translates from `source` to `target` (ISO 639-1) greedily with the model in `folder`.

    The committed tokens are appended to the templated conversation by their numbers, so that they stand in the text
    exactly as they were written. The end of a text, or of its line, is accepted only when the source is complete:
    where the model wants to end an unfinished one, writing stops and the text stays open. device, compute: see
    `load_network`.

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

        from simul.decoding.rules import Rules

        size = int(self._network.config.get_text_config().vocab_size)
        ends = self._network.generation_config.eos_token_id
        ends = {*(ends if isinstance(ends, list) else [ends]), self._tokenizer.eos_token_id}
        special = set(self._tokenizer.all_special_ids)
        self._surfaces = _surfaces(self._tokenizer, size)
        stops = [i in ends or "\n" in text for i, text in enumerate(self._surfaces)]
        never = [(i in special or not text) and not stops[i] for i, text in enumerate(self._surfaces)]
        grows = [not follows_word(text) and not stops[i] for i, text in enumerate(self._surfaces)]
        made = (torch.tensor(flags, device=self._device) for flags in (stops, never, grows))
        self._rules = Rules(*made)

    def translate(self, requests: Sequence[TextRequest]) -> list[TextResult]:
        """One result per request, in order; an empty source gives an empty result."""
        import torch

        from simul.decoding.batch import Batch
        from simul.decoding.greedy import greedy
        from simul.models.llm.decoder import CausalDecoder

        prompts = {i: self._prompt(r) for i, r in enumerate(requests) if r.source.strip() and room(r)}
        found: list[Hypothesis] = []
        if prompts:
            with torch.inference_mode():
                batch = Batch(CausalDecoder(self._network), [p.ids for p in prompts.values()])
                found = greedy(batch, self._rules, list(prompts.values()))
        written = dict(zip(prompts, found, strict=True))
        return [self._result(request, written.get(index)) for index, request in enumerate(requests)]

    def _prompt(self, request: TextRequest) -> Prompt:
        head = tuple(self._templated(request.source))
        return Prompt(head, request.prefix_ids, room(request), word_complete=request.word_complete)

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

    def _result(self, request: TextRequest, found: Hypothesis | None) -> TextResult:
        if found is None:
            return TextResult((), (), np.zeros(0), ended=not request.source.strip())
        tokens = [self._surfaces[i] for i in found.ids]
        if tokens and not request.prefix_ids and self._spaces and not tokens[0].startswith(" "):
            tokens[0] = " " + tokens[0]
        return TextResult(tuple(tokens), found.ids, found.logprobs, None, found.ended and request.complete)


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
