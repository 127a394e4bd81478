"""Write a corpus of made-up talks for timing re-segmenting scorers; the same arguments give the same bytes.

    python benchmarks/make_longform.py --preset dev5 --out DIR

DIR receives segments.yaml (wav, offset and duration in seconds), references.txt (a sentence per segment) and
hypotheses.jsonl (a recording a line: source, prediction, delays and elapsed in ms, source_length).
"""

from __future__ import annotations

import argparse
import json
import random
from itertools import accumulate
from pathlib import Path

PRESETS = {
    "acl5": {"talks": 5, "words": 1700, "seed": 60},
    "dev1": {"talks": 1, "words": 14_000, "seed": 61},
    "dev5": {"talks": 5, "words": 14_000, "seed": 61},
    "rec50k": {"talks": 1, "words": 50_000, "seed": 62},
}
"""Shapes of corpora: a small development set, one and five recordings of 1.5 hours, one of 5.5 hours."""

SECONDS_PER_WORD = 0.37
CHUNK_MS = 960.0
VOCABULARY = 6000
ONSETS = "b,d,f,g,h,k,l,m,n,p,r,s,t,w,z,sch,st,br,gr,tr,kl,fl,pf,"
VOWELS = "a,e,i,o,u,ä,ö,ü,ei,au,ie,e,a"
CODAS = "n,r,t,s,ng,ch,ll,m,nd,st,,"


def vocabulary(dice: random.Random) -> list[str]:
    """Distinct pronounceable words, frequent ones short, a third of the rare ones capitalised."""
    onsets, vowels, codas = (sounds.split(",") for sounds in (ONSETS, VOWELS, CODAS))
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        syllables = 1 if len(words) < 150 else dice.randint(1, 4)
        word = "".join(
            dice.choice(onsets) + dice.choice(vowels) + dice.choice(codas) for _ in range(syllables)
        )
        if len(words) > 150 and dice.random() < 0.35:
            word = word.capitalize()
        if len(word) > 1:
            words.setdefault(word)
    return list(words)


class Talk:
    """Sentences of a talk and a faulty, delayed rendering of each."""

    def __init__(self, dice: random.Random, words: list[str]) -> None:
        self.dice = dice
        self.words = words
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(words))))

    def draw(self, count: int) -> list[str]:
        """Words by Zipf's law."""
        return self.dice.choices(self.words, cum_weights=self.weights, k=count)

    def sentence(self) -> list[str]:
        """6 to 28 words with commas, brackets, numbers, hyphens and a final mark."""
        out = self.draw(self.dice.randint(6, 28))
        for place in range(1, len(out) - 1):
            chance = self.dice.random()
            if chance < 0.08:
                out[place] += ","
            elif chance < 0.09:
                out[place] = f"({out[place]})"
            elif chance < 0.10:
                out[place] = f"{self.dice.randint(1, 99)},{self.dice.randint(0, 9)}"
            elif chance < 0.105:
                out[place] += "-" + out[place + 1]
        out[0] = out[0].capitalize()
        out[-1] += self.dice.choice("....?!")
        return out

    def rendering(self, sentence: list[str]) -> list[str]:
        """The sentence with words lost, replaced, misspelt, added, swapped; rarely nothing, rarely a loop."""
        dice, out = self.dice, []
        if dice.random() < 0.01:
            return []
        for word in sentence:
            chance = dice.random()
            if chance < 0.08:
                continue
            if chance < 0.14:
                word = self.draw(1)[0]
            elif chance < 0.20 and len(word) > 3:
                place = dice.randint(1, len(word) - 2)
                word = word[:place] + dice.choice("aeinrst") + word[place + 1 :]
            out.append(word)
            if dice.random() < 0.05:
                out += self.draw(1)
        for place in range(len(out) - 1):
            if dice.random() < 0.03:
                out[place : place + 2] = out[place + 1], out[place]
        return out + out[-3:] * dice.randint(4, 12) if dice.random() < 0.005 else out


def record(talk: Talk, wav: str, words: int) -> tuple[list[str], list[str], dict]:
    """Segmentation lines, references and the hypothesis of a recording of about ``words`` words."""
    dice = talk.dice
    segments: list[str] = []
    references: list[str] = []
    units: list[str] = []
    delays: list[float] = []
    elapsed: list[float] = []
    clock, busy, last = 800.0, 0.0, 0.0
    while len(units) < words:
        sentence = talk.sentence()
        duration = len(sentence) * SECONDS_PER_WORD * dice.uniform(0.85, 1.15)
        segments.append(f"- {{duration: {duration:.3f}, offset: {clock / 1000:.3f}, wav: {wav}}}")
        references.append(" ".join(sentence))
        rendering = talk.rendering(sentence)
        lag = dice.uniform(1400, 3000)
        for place, unit in enumerate(rendering, 1):
            heard = clock + 1000 * duration * place / len(rendering) + lag
            time = max(last, (heard // CHUNK_MS + 1) * CHUNK_MS)
            busy += dice.uniform(40, 120) if time > last else 0.0
            last = time
            units.append(unit)
            delays.append(time)
            elapsed.append(round(time + busy, 3))
        clock += 1000 * (duration + dice.uniform(0.1, 1.0))
    length = round(clock, 3)
    delays = [min(delay, length) for delay in delays]
    times = {"delays": delays, "elapsed": elapsed, "source_length": length}
    return segments, references, {"source": [wav], "prediction": " ".join(units), **times}


def write_corpus(folder: Path, talks: int, words: int, seed: int) -> None:
    """Write the three files of a corpus into ``folder``, which is made if need be."""
    dice = random.Random(seed)
    talk = Talk(dice, vocabulary(dice))
    recordings = [record(talk, f"talk_{number:02d}.wav", words) for number in range(1, talks + 1)]
    folder.mkdir(parents=True, exist_ok=True)
    lines = {
        "segments.yaml": [line for segments, _, _ in recordings for line in segments],
        "references.txt": [line for _, references, _ in recordings for line in references],
        "hypotheses.jsonl": [json.dumps(hypothesis, ensure_ascii=False) for _, _, hypothesis in recordings],
    }
    for name, content in lines.items():
        (folder / name).write_text("\n".join(content) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), default="acl5")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    write_corpus(options.out, **PRESETS[options.preset])


if __name__ == "__main__":
    main()
