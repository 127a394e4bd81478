"""Decoding shared by the models on torch: batched greedy and beam search, rules, attention."""
