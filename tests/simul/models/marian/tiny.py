"""A tiny student with random weights in the file formats of the real ones, and its mathematics written plainly.

The weights are drawn on the grid that int8 files can hold, so that a float file and an int8 file mean the same.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import yaml
from numpy.typing import NDArray

WIDTH, HIDDEN, HEADS = 16, 24, 4
TEXT = """
the red house stands near the old river and the small garden
a blue bird sings in the green tree every morning at seven
we walk to the market when the sun is high, and we come back late
das rote haus steht am alten fluss und der kleine garten ist grün
ein blauer vogel singt jeden morgen um sieben im grünen baum
wir gehen zum markt, wenn die sonne hoch steht. wir kommen spät zurück!
"""
ENDING = 2.5
"""What makes the end of a text likelier than chance."""
STEP = 1 / 64
"""What one step of an integer weight stands for."""
Weights = dict[str, NDArray[np.float32]]


def vocabulary(path: Path, size: int = 60) -> list[str]:
    """Write a SentencePiece model of a few words; returns its pieces."""
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.strip().splitlines() * 20), model_writer=made, vocab_size=size,
        eos_id=0, unk_id=1, bos_id=-1, pad_id=-1, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    path.write_bytes(made.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    return [processor.id_to_piece(i) for i in range(processor.get_piece_size())]


def weights(
    pieces: int, target: int | None = None, encoder: int = 2, decoder: int = 2, seed: int = 0
) -> Weights:
    """Random weights by Marian's names, matrices [in, out], tables [pieces, width]; `target`: a table of its own."""
    rng = np.random.default_rng(seed)
    made: Weights = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        integers = rng.integers(-127, 128, (rows, columns))
        integers.flat[0] = 127
        made[name] = (integers * np.float32(STEP / 3)).astype(np.float32)

    def vector(name: str, size: int, around: float = 0.0) -> None:
        made[name] = (around + 0.3 * rng.normal(size=(1, size))).astype(np.float32)

    def norm(name: str) -> None:
        vector(name + "_ln_scale", WIDTH, 1.0)
        vector(name + "_ln_bias", WIDTH)

    def attention(name: str) -> None:
        for letter in "qkvo":
            matrix(f"{name}_W{letter}", WIDTH, WIDTH)
            vector(f"{name}_b{letter}", WIDTH)
        norm(name + "_Wo")

    def feed(name: str) -> None:
        for letter, rows, columns in (("1", WIDTH, HIDDEN), ("2", HIDDEN, WIDTH)):
            matrix(f"{name}_W{letter}", rows, columns)
            vector(f"{name}_b{letter}", columns)
        norm(name + "_ffn")

    if target is None:
        matrix("Wemb", pieces, WIDTH)
    else:
        matrix("encoder_Wemb", pieces, WIDTH)
        matrix("decoder_Wemb", target, WIDTH)
    vector("decoder_ff_logit_out_b", target or pieces)
    made["decoder_ff_logit_out_b"][0, 0] += ENDING
    for layer in range(1, encoder + 1):
        attention(f"encoder_l{layer}_self")
        feed(f"encoder_l{layer}_ffn")
    for layer in range(1, decoder + 1):
        matrix(f"decoder_l{layer}_rnn_W", WIDTH, WIDTH)
        matrix(f"decoder_l{layer}_rnn_Wf", WIDTH, WIDTH)
        vector(f"decoder_l{layer}_rnn_bf", WIDTH)
        norm(f"decoder_l{layer}_rnn_ffn")
        attention(f"decoder_l{layer}_context")
        feed(f"decoder_l{layer}_ffn")
    return made


def write_binary(
    path: Path, made: Weights, form: str = "int8", options: Mapping[str, Any] | None = None
) -> None:
    """Write Marian's binary file; form: "float", "int8" or "alphas"."""
    config = {
        "type": "transformer", "transformer-heads": HEADS, "transformer-decoder-autoreg": "rnn", "dec-cell": "ssru",
        "transformer-postprocess": "dan", "transformer-preprocess": "", "transformer-ffn-activation": "relu",
        "transformer-guided-alignment-layer": "last", "transformer-tied-layers": [], "transformer-ffn-depth": 2,
        **(options or {}),
    }  # fmt: skip
    items: list[tuple[str, int, Sequence[int], bytes]] = []
    for name, values in made.items():
        if form == "float" or len(values) == 1:
            items.append((name, 0x404, values.shape, values.tobytes()))
            continue
        multiplier = np.float32(127 / np.abs(values).max())
        integers = np.rint(values * multiplier).astype(np.int8)
        stored = integers if name.endswith("Wemb") else integers.T
        items.append((name, 0x4101, values.shape, stored.tobytes() + multiplier.tobytes()))
        if form == "alphas":
            items.append((name + "_QuantMultA", 0x404, (1, 1), np.float32(12.5).tobytes()))
    text = yaml.safe_dump(config).encode() + b"\0"
    items.append(("special:model.yml", 0x101, (len(text),), text))
    padded = [data + bytes(-len(data) % 256) for *_, data in items]
    out = struct.pack("<QQ", 1, len(items))
    for (name, kind, shape, _), data in zip(items, padded, strict=True):
        out += struct.pack("<QQQQ", len(name.encode()) + 1, kind, len(shape), len(data))
    out += b"".join(name.encode() + b"\0" for name, *_ in items)
    out += b"".join(struct.pack(f"<{len(shape)}i", *shape) for _, _, shape, _ in items)
    gap = -(len(out) + 8) % 256
    path.write_bytes(out + struct.pack("<Q", gap) + bytes(gap) + b"".join(padded))


def write_shortlist(path: Path, pieces: int, common: int, lists: Mapping[int, Sequence[int]]) -> None:
    """Write Marian's binary shortlist."""
    begins, flat = [0], []
    for piece in range(pieces):
        flat += sorted(lists.get(piece, ()))
        begins.append(len(flat))
    head = np.array([0xF11A48D5013417F5, 0, common, 5, len(begins), len(flat)], "<u8")
    path.write_bytes(head.tobytes() + np.array(begins, "<u8").tobytes() + np.array(flat, "<u4").tobytes())


def firefox(folder: Path, form: str = "int8", shortlist: bool = False, **options: Any) -> Weights:
    """A Firefox folder of English to German; returns its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = vocabulary(folder / "vocab.ende.spm")
    made, size = weights(len(pieces), **options), len(pieces)
    write_binary(folder / "model.ende.intgemm.bin", made, form)
    if shortlist:
        lists = {piece: [(7 * piece + 3) % size] for piece in range(size)}
        write_shortlist(folder / "lex.50.50.ende.s2t.bin", size, 4, lists)
    return made


def parts(folder: Path, targets: Sequence[str] = ("de", "es", "pt")) -> None:
    """A student in parts: German and Spanish with a vocabulary of their own, Portuguese with the source's."""
    folder.mkdir(parents=True, exist_ok=True)
    common = vocabulary(folder / "source.spm")
    for seed, code in enumerate(targets):
        own = None if code == "pt" else vocabulary(folder / f"{code}.model", 50 + seed)
        made = weights(len(common), own and len(own), seed=seed)
        first: dict[str, Any] = {}
        second: dict[str, Any] = {}
        for name, values in made.items():
            into = second if name.startswith("decoder") else first
            key = "encoder_Wemb" if name == "Wemb" else name
            if len(values) == 1:
                into[key] = values.reshape(-1)
                continue
            kept = values if name.endswith("Wemb") else values.T
            scale = np.maximum(np.abs(kept).max(axis=1), 1e-8) / 127
            into[key] = np.rint(kept / scale[:, None]).astype(np.int8)
            into[key + ".scale"] = scale.astype(np.float32)
        if seed == 0:
            np.savez(folder / "encoder.npz", **first)
        np.savez(folder / f"{code}.npz", **second)
    about = {"source": "en", "spoken": [code for code in targets if code != "pt"]}
    (folder / "student.json").write_text(json.dumps(about), encoding="utf-8")


def plain(made: Weights, source: Sequence[int], target: Sequence[int]) -> tuple[NDArray[np.float64], ...]:
    """Logits [n + 1, pieces] and alignment [n + 1, source pieces] after each beginning of `target`."""
    depth = {
        side: max(int(k.split("_")[1][1:]) for k in made if k.startswith(f"{side}_l"))
        for side in ("encoder", "decoder")
    }
    w = {name: values.astype(np.float64) for name, values in made.items()}
    before, behind = w.get("encoder_Wemb", w.get("Wemb")), w.get("decoder_Wemb", w.get("Wemb"))
    assert before is not None
    assert behind is not None

    def norm(x: Any, k: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        variance = (centred**2).mean(-1, keepdims=True)
        return centred / np.sqrt(variance + 1e-6) * w[k + "_ln_scale"] + w[k + "_ln_bias"]

    def line(x: Any, k: str, letter: str) -> Any:
        return x @ w[f"{k}_W{letter}"] + w[f"{k}_b{letter}"]

    def attend(x: Any, memory: Any, k: str) -> tuple[Any, Any]:
        q, key, v = (
            line(y, k, c).reshape(len(y), HEADS, -1).transpose(1, 0, 2)
            for y, c in ((x, "q"), (memory, "k"), (memory, "v"))
        )
        s = np.exp(q @ key.transpose(0, 2, 1) / np.sqrt(WIDTH // HEADS))
        s /= s.sum(-1, keepdims=True)
        return norm(x + line((s @ v).transpose(1, 0, 2).reshape(len(x), -1), k, "o"), k + "_Wo"), s[0]

    def feed(x: Any, k: str) -> Any:
        return norm(x + line(np.maximum(line(x, k, "1"), 0), k, "2"), k + "_ffn")

    def places(count: int) -> Any:
        half = WIDTH // 2
        angles = np.arange(count)[:, None] * np.exp(-np.arange(half) * np.log(10000) / (half - 1))
        return np.concatenate([np.sin(angles), np.cos(angles)], 1)

    x = before[list(source)] * np.sqrt(WIDTH) + places(len(source))
    for layer in range(1, depth["encoder"] + 1):
        x = feed(attend(x, x, f"encoder_l{layer}_self")[0], f"encoder_l{layer}_ffn")
    y = np.concatenate([np.zeros((1, WIDTH)), behind[list(target)] * np.sqrt(WIDTH)]) + places(
        len(target) + 1
    )
    shares = np.zeros((0, 0))
    for layer in range(1, depth["decoder"] + 1):
        k = f"decoder_l{layer}_rnn"
        f = 1 / (1 + np.exp(-line(y, k, "f")))
        come, state, states = y @ w[k + "_W"], np.zeros(WIDTH), []
        for gate, new in zip(f, come, strict=True):
            state = gate * state + (1 - gate) * new
            states.append(state)
        y, shares = attend(norm(y + np.maximum(states, 0), k + "_ffn"), x, f"decoder_l{layer}_context")
        y = feed(y, f"decoder_l{layer}_ffn")
    return y @ behind.T + w["decoder_ff_logit_out_b"], shares
