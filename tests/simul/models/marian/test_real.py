"""Mozilla's own students, where they are on this machine: the texts are those of another engine on the same files."""

from __future__ import annotations

from pathlib import Path

from simul.models.marian.translator import MarianTranslator
from simul.models.translation.interface import TextRequest

EN_PT = {
    "The children are playing in the garden because it will rain tomorrow.": "As crianças estão brincando no jardim "
    "porque vai chover amanhã.",
    "I have never been to Lisbon, but the train leaves at nine.": "Nunca estive em Lisboa, mas o comboio sai aos nove.",
    "Please do not touch the red button!": "Por favor, não toque no botão vermelho!",
    "How many people came to the meeting on 14 March 2019?": "Quantas pessoas chegaram à reunião em 14 de março "
    "de 2019?",
}
PT_EN = {
    "Ontem choveu o dia inteiro e ninguém saiu de casa.": "Yesterday it rained all day and no one left the house.",
    "O livro custa 25 euros, mas não o quero comprar.": "The book costs 25 euros, but I don't want to buy it.",
}


def texts(translator: MarianTranslator, sources: list[str]) -> list[str]:
    (target,) = translator.targets
    results = translator.translate([TextRequest(source, target) for source in sources])
    return ["".join(result.tokens).strip() for result in results]


def test_english_into_portuguese_as_the_other_engine(firefox_en_pt_folder: Path) -> None:
    assert texts(MarianTranslator(firefox_en_pt_folder), list(EN_PT)) == list(EN_PT.values())


def test_portuguese_into_english_as_the_other_engine(firefox_pt_en_folder: Path) -> None:
    assert texts(MarianTranslator(firefox_pt_en_folder), list(PT_EN)) == list(PT_EN.values())
