"""Tiny models in the file formats of the real ones.

The "speech" of the Whisper model is a language of tones: each word is a sine of its own pitch. Its stored weights
write the tones down (German in German words, English in English words) and translate them into English words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16000
ENGLISH = ("red", "blue", "green", "seven", "eleven", "house", "river", "garden")
GERMAN = ("rot", "blau", "grün", "sieben", "elf", "haus", "fluss", "garten")
WORD = int(0.3 * RATE)
BASE = 50257
"""Entries of Whisper's byte-level vocabulary before its special tokens."""
VOCABULARY = 51865
MERGES = (
    "e n|Ġ g|u s|Ġ r|a r|b l|e l|e v|Ġ h|Ġ s|Ġ bl|Ġ el|Ġg r|Ġg ar|ev en|a u|a us|b en|d en|e d|e r|e en|e ben|Ġ f|i v|"
    "i eben|o t|o us"
)
"""Of the byte-level tokenizer, so that words are a few pieces long and the letter ü is two."""
OUTPUTS = (
    *(
        68,
        69,
        75,
        77,
        82,
        83,
        84,
        120,
        127,
        256,
        258,
        259,
        264,
        265,
        266,
        267,
        268,
        269,
        270,
        271,
        272,
        274,
        275,
        276,
    ),
    *(277, 279, 280, 281, 282, 283, 50257, 50364),
)
"""What the trained model writes: pieces of its words, the end, and the time 0."""
USED = (*OUTPUTS, 50258, 50259, 50261, 50358, 50359, 50361, 50363)
"""And what it reads besides: start, English, German, translate, transcribe, start of previous text, no timestamps."""
STORED = Path(__file__).parent / "data" / "tiny_whisper.npz"


def tones(words: Sequence[int], gaps: Sequence[int], tail: int = RATE // 10) -> tuple[np.ndarray, np.ndarray]:
    """Samples of tone words, word i preceded by gaps[i] samples of silence; and int [n, 2], where each lies."""
    pieces, spans, position = [], [], 0
    ramp = np.minimum(1.0, np.minimum(np.arange(WORD), np.arange(WORD)[::-1]) / 400)
    for word, gap in zip(words, gaps, strict=True):
        pieces.append(np.zeros(gap))
        pitch = 300.0 * 1.4**word
        pieces.append(0.3 * ramp * np.sin(2 * np.pi * pitch * np.arange(WORD) / RATE))
        spans.append((position + gap, position + gap + WORD))
        position += gap + WORD
    pieces.append(np.zeros(tail))
    samples = np.concatenate(pieces)
    noise = np.random.default_rng(len(samples)).normal(0, 1e-4, len(samples))
    return (samples + noise).astype(np.float32), np.array(spans, dtype=np.int64).reshape(-1, 2)


def random_words(rng: np.random.Generator, count: int) -> tuple[list[int], list[int]]:
    """Different word numbers and the gaps before them."""
    words = [int(w) for w in rng.permutation(len(ENGLISH))[:count]]
    return words, [int(g) for g in rng.integers(RATE // 20, RATE // 4, count)]


def whisper_tokenizer() -> Any:
    """A byte-level BPE tokenizer with Whisper's multilingual layout: 51865 entries, specials in their order."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    merges = [tuple(merge.split(" ")) for merge in MERGES.split("|")]
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(merge) for merge in merges)]
    pieces += [f"<filler{i}>" for i in range(len(pieces), BASE)]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|startoftranscript|>"]
    first = ["en", "zh", "de"]
    special += [f"<|{c}|>" for c in [*first, *(c for c in _LANGUAGE_CODES if c not in first and c != "yue")]]
    special += [f"<|{name}|>" for name in ("translate", "transcribe", "startoflm", "startofprev", "nospeech")]
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in [*special, "<|notimestamps|>"]])
    tokenizer.add_tokens([AddedToken(f"<|{i * 0.02:.2f}|>") for i in range(1501)])
    assert tokenizer.get_vocab_size() == VOCABULARY
    return tokenizer


def whisper_network(seed: int = 0) -> Any:
    """A WhisperForConditionalGeneration of two layers and 64 dimensions with random weights."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=VOCABULARY,
        num_mel_bins=80,
        d_model=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        decoder_start_token_id=50258,
        eos_token_id=50257,
        bos_token_id=50257,
        pad_token_id=50257,
        attn_implementation="eager",
    )
    model = WhisperForConditionalGeneration(config).eval()
    languages = {f"<|{c}|>": i for c, i in (("en", 50259), ("de", 50261))}
    model.generation_config = GenerationConfig(
        suppress_tokens=[50258, 50358, 50359, 50360, 50361, 50362],
        begin_suppress_tokens=[220, 50257],
        alignment_heads=[[1, 0], [1, 1]],
        lang_to_id=languages,
        decoder_start_token_id=50258,
        eos_token_id=50257,
    )
    return model


def save_whisper(model: Any, folder: Path) -> Path:
    """Store a network with its tokenizer, convert it, and return the CTranslate2 folder (float32)."""
    from ctranslate2.converters import TransformersConverter
    from transformers import PreTrainedTokenizerFast, WhisperFeatureExtractor

    source, target = folder / "transformers", folder / "ctranslate2"
    model.save_pretrained(source)
    tokenizer = whisper_tokenizer()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<|endoftext|>", eos_token="<|endoftext|>"
    ).save_pretrained(source)
    WhisperFeatureExtractor().save_pretrained(source)
    TransformersConverter(str(source), copy_files=["tokenizer.json", "preprocessor_config.json"]).convert(
        str(target), quantization="float32"
    )
    return target


def sentencepiece_model(folder: Path, name: str, texts: Sequence[str], size: int = 60) -> Path:
    """Train a unigram SentencePiece model on `texts`."""
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([t for t in texts for _ in range(3)]),
        model_prefix=str(folder / name),
        vocab_size=size,
        hard_vocab_limit=False,
        minloglevel=2,
        bos_id=-1,
        eos_id=1,
        unk_id=0,
    )
    return folder / f"{name}.model"


def _pieces(model: Path) -> list[str]:
    import sentencepiece

    processor: Any = sentencepiece.SentencePieceProcessor(model_file=str(model))
    return [processor.id_to_piece(i) for i in range(processor.vocab_size()) if i > 1]


def _save_translation(network: Any, vocabulary: Sequence[str], folder: Path) -> Path:
    from ctranslate2.converters import TransformersConverter
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    source, target = folder / "transformers", folder / "ctranslate2"
    network.save_pretrained(source)
    tokenizer = Tokenizer(
        models.WordLevel({piece: i for i, piece in enumerate(vocabulary)}, unk_token="<unk>")
    )
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(source)
    TransformersConverter(str(source)).convert(str(target), quantization="float32")
    return target


def save_marian(folder: Path, tags: Sequence[str] = ()) -> tuple[Any, Path]:
    """A random Opus-MT-like network, and its CTranslate2 folder with source.spm and target.spm."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    torch.manual_seed(1)
    source = sentencepiece_model(folder, "source", [" ".join(ENGLISH), *ENGLISH])
    target = sentencepiece_model(folder, "target", [" ".join(GERMAN), *GERMAN])
    pieces = dict.fromkeys([*_pieces(source), *_pieces(target)])
    vocabulary = ["</s>", "<unk>", *tags, *pieces, "<pad>"]
    pad = len(vocabulary) - 1
    config = MarianConfig(
        vocab_size=len(vocabulary),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=0,
        init_std=0.3,
        scale_embedding=True,
    )
    network = MarianMTModel(config).eval()
    path = _save_translation(network, vocabulary, folder)
    source.rename(path / "source.spm")
    target.rename(path / "target.spm")
    return network, path


def save_m2m(folder: Path, codes: Sequence[str]) -> tuple[Any, Path]:
    """A random M2M-100-like network with language tokens `codes` (NLLB-200 shares it), and its folder."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    torch.manual_seed(2)
    joint = sentencepiece_model(
        folder, "sentencepiece.bpe", [" ".join(ENGLISH + GERMAN), *ENGLISH, *GERMAN], 80
    )
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *_pieces(joint), *codes]
    config = M2M100Config(
        vocab_size=len(vocabulary),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        init_std=0.3,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
    )
    network = M2M100ForConditionalGeneration(config).eval()
    path = _save_translation(network, vocabulary, folder)
    joint.rename(path / "sentencepiece.bpe.model")
    return network, path


def untrained_whisper() -> Any:
    """A network of random weights, large enough that its choices vary."""
    import torch

    network = whisper_network(seed=4)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if value.dim() > 1 and "embed_positions" not in name:
                value.mul_(4.0)
    return network


def trained_whisper() -> Any:
    """The network that `tests.make_tiny_whisper` trained and stored."""
    import torch

    network = whisper_network()
    stored = {name: torch.from_numpy(value).float() for name, value in np.load(STORED).items()}
    state = network.state_dict()
    table = state["model.decoder.embed_tokens.weight"]
    # Through the first dimension all entries that are not used are improbable, later times more than earlier ones.
    table.zero_()[:, 0] = -6
    table[50364:, 0] -= 0.01 * torch.arange(VOCABULARY - 50364)
    table[list(USED)] = stored.pop("used")
    # The time 0 is written where only times may stand, and nowhere else.
    table[50364, 0] = -3
    for name, value in stored.items():
        state[name].copy_(value)
    return network
