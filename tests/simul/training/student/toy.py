"""A student small enough to train in a second, and sentence pairs for it."""

from __future__ import annotations

import gzip
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import sentencepiece as spm

from simul.training.student.prepared import train_vocabulary

WIDTH, HIDDEN, HEADS, SOURCE_PIECES, TARGET_PIECES = 16, 32, 8, 90, 60
NOUNS = (
    ("dog", "Hund"),
    ("man", "Mann"),
    ("table", "Tisch"),
    ("train", "Zug"),
    ("tree", "Baum"),
    ("king", "König"),
)
VERBS = (("sees", "sieht"), ("hears", "hört"), ("wants", "will"), ("finds", "findet"), ("buys", "kauft"))
NAMES = ("Gregor", "Valeria", "Montague", "Rebecca", "Tiberius")
NUMBERS = (157, 386, 490, 214, 239)
"""All digits, so that the vocabularies know them."""


def sentences() -> list[tuple[str, str]]:
    """Short pairs, pairs with a name and a number, and pairs long enough to be cut."""
    found = []
    for a, x in NOUNS:
        for v, w in VERBS:
            for b, y in NOUNS:
                found.append((f"The {a} {v} the {b}.", f"Der {x} {w} den {y}."))
                found.append(
                    (
                        f"The {a} {v} the {b}, and the {b} {v} the {a}.",
                        f"Der {x} {w} den {y}, und der {y} {w} den {x}.",
                    )
                )
            for name, number in zip(NAMES, NUMBERS, strict=True):
                found.append((f"{name} {v} {number} of the {a}.", f"{name} {w} {number} von dem {x}."))
    return found


def write_text(root: Path) -> Path:
    """A data folder with two sets, one of them made by a machine."""
    rows = sentences()
    for name, part in (
        ("tatoeba/train.en-de", rows),
        ("pivot/made.en-de", [(a.upper(), b) for a, b in rows[::7]]),
    ):
        path = root / f"{name}.tsv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8") as stream:
            stream.write("en\tde\n" + "".join(f"{a}\t{b}\n" for a, b in part))
    return root


def write_student(folder: Path) -> Path:
    """A folder of parts with random int8 weights: an encoder of two layers, a decoder of one with the same pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = [text for pair in sentences() for text in pair]
    (folder / "source.spm").write_bytes(
        train_vocabulary(texts + [t.lower() for t in texts] + [ascii_lowercase] * 9, SOURCE_PIECES)
    )
    pieces = spm.SentencePieceProcessor(model_file=str(folder / "source.spm")).get_piece_size()
    random = np.random.default_rng(5)
    np.savez(folder / "encoder.npz", **_arrays(random, _encoder_shapes(pieces)))
    np.savez(folder / "pt.npz", **_arrays(random, _decoder_shapes(pieces)))
    return folder


def _attention_shapes(key: str) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for n in "qkvo":
        shapes |= {f"{key}_W{n}": (WIDTH, WIDTH), f"{key}_b{n}": (WIDTH,)}
    return shapes | _norm_shapes(f"{key}_Wo")


def _norm_shapes(key: str) -> dict[str, tuple[int, ...]]:
    return {f"{key}_ln_scale": (WIDTH,), f"{key}_ln_bias": (WIDTH,)}


def _feed_shapes(key: str) -> dict[str, tuple[int, ...]]:
    shapes = {
        f"{key}_W1": (HIDDEN, WIDTH),
        f"{key}_b1": (HIDDEN,),
        f"{key}_W2": (WIDTH, HIDDEN),
        f"{key}_b2": (WIDTH,),
    }
    return shapes | _norm_shapes(f"{key}_ffn")


def _encoder_shapes(pieces: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"encoder_Wemb": (pieces, WIDTH)}
    for layer in (1, 2):
        shapes |= _attention_shapes(f"encoder_l{layer}_self") | _feed_shapes(f"encoder_l{layer}_ffn")
    return shapes


def _decoder_shapes(pieces: int) -> dict[str, tuple[int, ...]]:
    key = "decoder_l1_rnn"
    shapes: dict[str, tuple[int, ...]] = {
        "decoder_ff_logit_out_b": (pieces,),
        f"{key}_W": (WIDTH, WIDTH),
        f"{key}_Wf": (WIDTH, WIDTH),
        f"{key}_bf": (WIDTH,),
    }
    return (
        shapes
        | _norm_shapes(f"{key}_ffn")
        | _attention_shapes("decoder_l1_context")
        | _feed_shapes("decoder_l1_ffn")
    )


def _arrays(random: np.random.Generator, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for name, shape in shapes.items():
        if len(shape) == 2:
            arrays[name] = random.integers(-127, 128, shape, np.int8)
            arrays[f"{name}.scale"] = np.full(shape[0], 0.4 / 127 / np.sqrt(shape[1] / 16), np.float32)
        elif name.endswith("ln_scale"):
            arrays[name] = np.ones(shape, np.float32)
        else:
            arrays[name] = random.normal(0, 0.02, shape).astype(np.float32)
    return arrays
