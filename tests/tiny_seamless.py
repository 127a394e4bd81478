"""A tiny SeamlessM4T v2 with random weights in the file format of the real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = [
    *("rot", "blau", "grün", "sieben", "elf", "haus", "fluss", "garten"),
    *("morgen", "abend", "guten", "tag", "wir", "sehen", "uns"),
]
LANGUAGES = ("deu", "eng", "fra", "cmn")


def tokenizer() -> Any:
    """A SeamlessM4TTokenizer of some hundred pieces and four languages."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import SeamlessM4TTokenizer

    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    special = ["<pad>", "<unk>", "<s>", "</s>"]
    letters = sorted({*"".join(WORDS), *".,!?-'"})
    trainer = trainers.BpeTrainer(
        vocab_size=110, special_tokens=special, initial_alphabet=letters, show_progress=False
    )
    trained.train_from_iterator([" ".join(WORDS)] * 4, trainer)
    state = json.loads(trained.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in state["merges"]]
    made = SeamlessM4TTokenizer(
        vocab=state["vocab"],
        merges=merges,
        src_lang="eng",
        tgt_lang="deu",
        additional_special_tokens=[f"__{code}__" for code in LANGUAGES],
    )
    return made


def network(size: int, codes: dict[str, int], seed: int, scale: float = 0.4) -> Any:
    """A SeamlessM4Tv2ForSpeechToText of two layers and 32 dimensions; `scale` spreads its weights."""
    import torch
    from transformers import SeamlessM4Tv2Config, SeamlessM4Tv2ForSpeechToText

    torch.manual_seed(seed)
    config = SeamlessM4Tv2Config(
        vocab_size=size,
        hidden_size=32,
        encoder_layers=1,
        decoder_layers=3,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        speech_encoder_layers=2,
        speech_encoder_attention_heads=4,
        speech_encoder_intermediate_size=48,
        conv_depthwise_kernel_size=7,
        initializer_range=scale,
        max_position_embeddings=256,
    )
    made = SeamlessM4Tv2ForSpeechToText(config).eval()
    with torch.no_grad():
        # Embeddings are tied: without these signs each token would be followed by itself.
        made.text_decoder.layer_norm.weight.normal_()
        for layer in made.text_decoder.layers:
            layer.cross_attention.v_proj.weight *= 0.3
            layer.cross_attention.k_proj.weight *= 4
    told = made.generation_config
    told.text_decoder_lang_to_code_id = codes
    told.decoder_start_token_id, told.eos_token_id, told.pad_token_id = 3, 3, 0
    return made


def save(folder: Path, seed: int = 3) -> tuple[Any, Path]:
    """The network and the folder that it was stored in."""
    from transformers import SeamlessM4TFeatureExtractor

    words = tokenizer()
    codes = {code: int(words.convert_tokens_to_ids(f"__{code}__")) for code in LANGUAGES}
    made = network(len(words) + 3, codes, seed)
    made.save_pretrained(folder)
    words.save_pretrained(folder)
    SeamlessM4TFeatureExtractor().save_pretrained(folder)
    return made, folder
