"""Tiny models in the file formats of the real ones, built and briefly trained inside the test run.

The "speech" of the Whisper model is a language of tones: each word is a sine of its own pitch. It learns to write
the tones down (transcription of "xx" spelled in German words, of English in English words) and to translate them
into English words.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16000
ENGLISH = ("red", "blue", "green", "seven", "eleven", "house", "river", "garden")
GERMAN = ("rot", "blau", "grün", "sieben", "elf", "haus", "fluss", "garten")
STEPS = 280
BASE = 50257
"""Entries of Whisper's byte-level vocabulary before its special tokens."""
HOP = 160
WORD = int(0.3 * RATE)
SPECIAL = (50258, 50259, 50261, 50358, 50359, 50361, 50363)
"""Start, English, German, translate, transcribe, start of previous text, no timestamps."""


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
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=256 + 28, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator([" " + word for word in ENGLISH + GERMAN], trainer)
    state = json.loads(trained.to_str())["model"]
    vocabulary = dict(state["vocab"])
    vocabulary |= {f"<filler{i}>": i for i in range(len(vocabulary), BASE)}
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in state["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|startoftranscript|>"]
    first = ["en", "zh", "de"]
    special += [f"<|{c}|>" for c in [*first, *(c for c in _LANGUAGE_CODES if c not in first and c != "yue")]]
    special += [f"<|{name}|>" for name in ("translate", "transcribe", "startoflm", "startofprev", "nospeech")]
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in [*special, "<|notimestamps|>"]])
    tokenizer.add_tokens([AddedToken(f"<|{i * 0.02:.2f}|>") for i in range(1501)])
    assert tokenizer.get_vocab_size() == 51865
    return tokenizer


def whisper_network(seed: int = 0) -> Any:
    """A WhisperForConditionalGeneration of two layers and 64 dimensions with random weights."""
    import torch
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=51865,
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


@functools.cache
def _front_end() -> Any:
    from faster_whisper.feature_extractor import FeatureExtractor

    return FeatureExtractor()


def mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel features [80, frames] as Whisper's own front end makes them."""
    return _front_end()(samples, padding=400)[:, : len(samples) // 160]


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


class _Examples:
    """Random utterances as training batches: features, decoder input, targets (-100: no loss), attention goals.

    Features are laid together from those of single tones, at several offsets against the frame grid.
    """

    def __init__(self, tokenizer: Any, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.words = {
            language: [tokenizer.encode(" " + w).ids for w in words]
            for language, words in (("en", ENGLISH), ("de", GERMAN))
        }
        pieces = sorted({i for lists in self.words.values() for ids in lists for i in ids})
        self.outputs = len(pieces) + 1
        self.used = [*pieces, 50257, *SPECIAL]
        self.tones = [
            [mel(tones([w], [4 * HOP + phase], 4 * HOP)[0])[:, 2:] for phase in range(0, HOP, 40)]
            for w in range(len(ENGLISH))
        ]

    def features(
        self, words: Sequence[int], gaps: Sequence[int], frames: int
    ) -> tuple[np.ndarray, list[range]]:
        """Features of an utterance, and the encoder steps of each word; gaps are in frames (at least 5)."""
        silence = max(float(self.tones[w][0].max()) for w in words) - 2
        laid = np.full((80, frames), silence, np.float32)
        steps, position = [], 0
        for word, gap in zip(words, gaps, strict=True):
            piece = self.tones[word][self.rng.integers(4)]
            position += gap
            laid[:, position - 2 : position - 2 + piece.shape[1]] = np.maximum(piece, silence)
            steps.append(range(position // 2, (position + WORD // HOP) // 2))
            position += WORD // HOP
        return laid, steps

    def batch(self, size: int, frames: int) -> tuple[np.ndarray, ...]:
        """Features, decoder input, targets, attention goals, and for each encoder step the word there and before."""
        features = np.empty((size, 80, frames), np.float32)
        inputs, targets = np.full((2, size, 40), 50257)
        targets[:] = -100
        goal = np.zeros((size, 40, frames // 2), np.float32)
        near = np.zeros((2, size, frames // 2), np.int64)
        for k in range(size):
            words, _ = random_words(self.rng, int(self.rng.integers(1, 5)))
            widest = min(26, (frames - 34 - 60 - 30 * (len(words) - 1)) // len(words))
            gaps = [int(self.rng.integers(5, 60)), *self.rng.integers(5, widest, len(words) - 1)]
            features[k], steps = self.features(words, gaps, frames)
            source = "de" if self.rng.random() < 0.5 else "en"
            translate = source == "de" and self.rng.random() < 0.5
            text = self.words["en" if translate else source]
            start = [50258, 50261 if source == "de" else 50259, 50358 if translate else 50359, 50363]
            context: list[int] = []
            if self.rng.random() < 0.3:
                context = [50361, *(i for w in random_words(self.rng, 2)[0] for i in text[w])]
            full = [*context, *start, *(i for w in words for i in text[w]), 50257]
            first = len(context) + len(start) - 1
            inputs[k, : len(full) - 1] = full[:-1]
            targets[k, first : len(full) - 1] = full[first + 1 :]
            position = first
            for w, span in zip(words, steps, strict=True):
                goal[k, position : position + len(text[w]), span.start : span.stop] = 1
                position += len(text[w])
            goal[k, position, steps[-1].stop :] = 1
            for number, (w, span) in enumerate(zip(words, steps, strict=True)):
                near[0, k, span.start : span.stop] = w + 1
                near[1, k, span.start :] = words[number - 1] + 1 if number else 0
            near[1, k, steps[-1].stop :] = words[-1] + 1
        return features, inputs, targets, goal, near


def train_whisper(model: Any, steps: int, seed: int = 0, batch: int = 8) -> list[float]:
    """Teach the tone language; returns the loss of each step.

    Attention is guided to the tones, and the encoder is asked which word is near, so that seconds are enough.
    Only the vocabulary in use is trained; the first dimension keeps all other entries improbable.
    """
    import torch

    examples = _Examples(whisper_tokenizer(), seed)
    used, outputs = torch.tensor(examples.used), examples.outputs
    place = np.zeros(51865, np.int64)
    place[examples.used] = np.arange(len(used))
    decoder = model.model.decoder
    table, norm = decoder.embed_tokens.weight, decoder.layer_norm
    table.requires_grad_(False)
    small = torch.nn.Parameter(table[used].clone())
    asked = torch.nn.Linear(64, 2 * (len(ENGLISH) + 1))
    parameters = [small, *asked.parameters(), *(p for p in model.parameters() if p.requires_grad)]
    optimizer = torch.optim.AdamW(parameters, lr=3e-3, weight_decay=0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.15)
    losses = []
    for _ in range(steps):
        with torch.no_grad():
            norm.weight[0], norm.bias[0], small[:outputs, 0], small[outputs:, 0] = 0, 8, 0, -3
        features, inputs, targets, goal, near = examples.batch(
            batch, int(examples.rng.choice([220, 280, 340]))
        )
        encoded = encode(model, torch.from_numpy(features))
        mask = torch.from_numpy(targets >= 0)
        out = decoder(
            inputs_embeds=small[torch.from_numpy(place[inputs])],
            encoder_hidden_states=encoded,
            output_attentions=True,
            use_cache=False,
        )
        logits = out.last_hidden_state[mask] @ small[:outputs].T
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(place[targets[targets >= 0]]))
        right = (out.cross_attentions[1].mean(1) * torch.from_numpy(goal)).sum(-1)[mask]
        answers = asked(encoded).unflatten(-1, (2, -1)).permute(2, 3, 0, 1).flatten(2)
        words = sum(
            torch.nn.functional.cross_entropy(answers[i].T, torch.from_numpy(near[i].ravel()))
            for i in range(2)
        )
        optimizer.zero_grad()
        (loss + words - 0.5 * (right + 1e-4).log().mean()).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    with torch.no_grad():
        norm.weight[0], norm.bias[0], small[:outputs, 0], small[outputs:, 0] = 0, 8, 0, -3
        table[:, 0] = -3
        table[used] = small
    return losses


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


def trained_whisper(cache: Path) -> Path:
    """The CTranslate2 folder of the trained network; kept in `cache` until this file or a package changes."""
    import hashlib

    import ctranslate2
    import torch
    import transformers

    versions = (torch.__version__, transformers.__version__, ctranslate2.__version__)
    key = hashlib.sha256(Path(__file__).read_bytes() + repr(versions).encode()).hexdigest()[:16]
    folder = cache / key
    if not (folder / "done").is_file():
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        model = whisper_network()
        losses = train_whisper(model.train(), STEPS)
        torch.set_num_threads(threads)
        assert np.mean(losses[-20:]) < 0.3, "the tiny Whisper model did not learn its language"
        folder.mkdir(parents=True, exist_ok=True)
        save_whisper(model.eval(), folder)
        (folder / "done").touch()
    return folder / "ctranslate2"
