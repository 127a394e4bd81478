"""The small text translator: spoken-form text, training corpus, network, training recipe and export."""
