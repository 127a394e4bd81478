"""Interactive dictation after TERTiUS (Li et al. 2023): a document that is dictated and edited by voice.

The package will hold the document, the edit language, the segmenter that tells dictation from spoken
commands, the normaliser, the interpreter and the live loop. It holds no code yet.
"""
