"""Writes a small tokenizer. Runs in the engine's environment: `tokenizer.py FOLDER KIND SIZE TEXT...`.

KIND is byte-level (Llama 3, Qwen) or sentencepiece (Gemma, Llama 2, Mistral, Phi-3). The pieces are learned from the
text files TEXT. It imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

# What parsers of reasoning and of tool calls look up in the vocabulary.
_MARKS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|python_tag|>")
# Words of prompts that the texts hardly have, so that a common word is one token as in a real vocabulary.
_COMMON = (
    "Say hello. Tell me a story about a word. Count from one to ten in English words, separated by commas. Write a"
    " short answer to this question, please. What is the capital of France? Explain how it works and why, step by step."
    " Once upon a time there was a man who went into the world to see people, day and night, year after year."
)
_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")


def byte_level(texts: list[str], size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(_MARKS),
        special_tokens=list(_SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def sentencepiece(texts: list[str], size: int) -> Tokenizer:
    """Words begin with a mark instead of a space, and what has no piece is spelled in bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token=_SPECIAL[3], fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    pieces = [piece for text in texts for piece in text.replace(" ", " \u2581").split(" ")]
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(_MARKS) - 256, special_tokens=list(_SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator(pieces, trainer)
    document = json.loads(tokenizer.to_str())
    vocabulary = document["model"]["vocab"]
    for byte in range(256):
        vocabulary.setdefault(f"<0x{byte:02X}>", len(vocabulary))
    return Tokenizer.from_str(json.dumps(document))


def main(folder: Path, kind: str, size: int, files: list[Path]) -> None:
    texts = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()] + [_COMMON] * 200
    tokenizer = (sentencepiece if kind == "sentencepiece" else byte_level)(texts, size)
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in _MARKS])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), [Path(name) for name in sys.argv[4:]])
