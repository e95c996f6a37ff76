#!/usr/bin/env python3
"""Writes tests/golden/tokenizer_json.json: small byte-level tokenizers with the pre-tokenizers, normalizers and
added tokens of well-known models, and the ids that the tokenizers library gives for texts that are hard to cut.

  pip install tokenizers==0.23.3
  scripts/make_tokenizer_goldens.py
"""
import json
import os
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace("{1,3}", "")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
LLAMA4 = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{ENDING}|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{ENDING}"
          r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
            "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]
END = "<|endoftext|>"

WORDS = """the The THE and it's IT'S we'll They'VE naïve café cafe\u0301 Straße ΑΒΓς привет мир 日本語 漢字 ひらがな 한국어 हिन्दी
 fooBar HTMLParser x86 1234567 3.14 v2.0 ²½Ⅷ ٣١ don't D'oh 'ſ I'm rock'n'roll // /* */ -> :: != a_b __init__ #include <think>
 </think> <mask> <|endoftext|> 😀 👩‍👩‍👧 Å Ω ﬁ ạ̇ \u1100\u1161\u11a8 가\u11a8 \u2adc \u0344 ǅ ʰ \u200d — “q” $5 €7 \\ 🇩🇪""".split()
SPACES = [" ", " ", " ", "  ", "   ", "\n", "\n\n", " \n", "\n ", "\r\n", "\t", "\t\t", "\u00a0", "\u3000", "\x85", "\u2028",
          "\x0b", "\x1c", ""]


def texts(count, seed):
    chosen = random.Random(seed)
    for _ in range(count):
        parts = []
        for _ in range(chosen.randint(1, 12)):
            parts += [chosen.choice(WORDS) if chosen.random() < 0.9 else chr(chosen.randrange(0xD800)),
                      chosen.choice(SPACES)]
        yield "".join(parts)


def split(expression):
    return pre_tokenizers.Split(Regex(expression), "isolated", invert=False)


def bytes_only():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def family(name, pre_tokenizer, normalizer=None, added=(), ignore_merges=False, post_processor=None):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=360, special_tokens=[END], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts(400, 1), trainer)
    if ignore_merges:  # tokens that no merge makes
        state = json.loads(tokenizer.to_str())
        state["model"]["merges"] = state["model"]["merges"][::2]
        tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_tokens(list(added))
    if post_processor:
        tokenizer.post_processor = post_processor
    tokenizer.encode_special_tokens = True
    cases = [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in texts(60, 2)]
    return {"name": name, "tokenizer": json.loads(tokenizer.to_str()), "cases": cases}


def main():
    think = [AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)]
    both = pre_tokenizers.Sequence
    start = processors.TemplateProcessing(single=END + " $A", pair=END + " $A $B", special_tokens=[(END, 0)])
    families = [
        family("gpt2", pre_tokenizers.ByteLevel(add_prefix_space=False)),
        family("llama3", both([split(LLAMA3), bytes_only()]), ignore_merges=True, post_processor=start),
        family("qwen3", both([split(QWEN), bytes_only()]), normalizers.NFC(), think),
        family("llama4", both([split(LLAMA4), bytes_only()])),
        family("smollm2", both([pre_tokenizers.Digits(individual_digits=True),
                                pre_tokenizers.ByteLevel(add_prefix_space=False)])),
        family("deepseek", both([split(e) for e in DEEPSEEK] + [bytes_only()]),
               normalizers.Sequence([]), think),
        family("stripping", pre_tokenizers.ByteLevel(add_prefix_space=False), normalizers.NFC(),
               [AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False),
                AddedToken("cafe\u0301", normalized=True), AddedToken("   ", normalized=True)]),
    ]
    path = os.path.join(os.path.dirname(__file__), "..", "tests", "golden", "tokenizer_json.json")
    with open(path, "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(f, separators=(",", ":")) for f in families) + "\n]\n")


main()
