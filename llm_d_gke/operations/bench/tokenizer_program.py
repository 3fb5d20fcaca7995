"""Writes a small tokenizer into a folder: for stacks whose own is not available without the Hub.

It runs in the load generator's own environment: `python tokenizer_program.py FOLDER`.
"""

import sys

from tokenizers import Tokenizer, models, pre_tokenizers, trainers  # type: ignore[import-not-found, unused-ignore]
from transformers import PreTrainedTokenizerFast  # type: ignore[import-not-found, unused-ignore]

_WORDS = [f"{first}{last}" for first in ("ka", "lo", "mi", "ne", "pu", "ra") for last in ("ber", "den", "fal", "ster")]
tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))  # noqa: S106 - a token of text
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
trainer = trainers.BpeTrainer(vocab_size=2000, special_tokens=["[UNK]", "[EOS]"])
tokenizer.train_from_iterator([" ".join(_WORDS[number:] + _WORDS[:number]) for number in range(len(_WORDS))], trainer)
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", eos_token="[EOS]").save_pretrained(  # noqa: S106
    sys.argv[1]
)
