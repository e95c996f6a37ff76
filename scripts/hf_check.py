#!/usr/bin/env python3
"""Loads a muonlab checkpoint with Hugging Face transformers, as it is, and says what it finds.

    python scripts/hf_check.py CHECKPOINT [--samples SAMPLES.jsonl] [--text FILE] [--eval EVAL.txt | --expect LOSS]

Prints the model's class, its parameter count and any tensor that is missing or left over (which fails). With
--samples, the lines {"sample": i, "tokens": [...]} of `muonlab data samples`, or with --text and the checkpoint's
tokenizer, it prints the mean loss in nats a token. --expect (a number) or --eval (the saved output of `muonlab eval`,
JSON or text, whose loss is taken; give the validation windows as --samples) fails if the two losses differ by more
than --limit.

The tokenizer is checked where there is one: AutoTokenizer must give the ids that sentencepiece itself gives with
tokenizer.model, and decode them to the same text.
"""

import argparse
import json
import pathlib
import re
import sys

import torch
import transformers

transformers.utils.logging.disable_progress_bar()

TRICKY = "Plain words.\n\n  two spaces, a\ttab — ümläut, 漢字 and \U0001f642\n"


def load_model(checkpoint):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32,
                                                                    output_loading_info=True)
    problems = {k: v for k, v in info.items() if v}
    if problems:
        sys.exit(f"{checkpoint}: transformers reports {problems}")
    config = model.config
    print(f"model      {type(model).__name__}, {config.num_hidden_layers} layers, width {config.hidden_size}, "
          f"{config.num_attention_heads} heads of {config.head_dim}, {config.num_key_value_heads} key-value heads, "
          f"vocabulary {config.vocab_size}, {'tied' if config.tie_word_embeddings else 'untied'}")
    print(f"parameters {sum(p.numel() for p in model.parameters()):,}")
    return model.eval()


def encode_plain(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def check_tokenizer(checkpoint, model, texts):
    """The tokenizer, or None where the checkpoint has none."""
    if not any((checkpoint / f).exists() for f in ("tokenizer.model", "tokenizer.json", "tokenizer_config.json")):
        print("tokenizer  none in the folder")
        return None
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    print(f"tokenizer  {type(tokenizer).__name__}, {len(tokenizer)} pieces")
    if len(tokenizer) > model.config.vocab_size:
        sys.exit(f"the tokenizer's {len(tokenizer)} ids do not fit the model's {model.config.vocab_size}")
    processor = None
    if (checkpoint / "tokenizer.model").exists():
        import sentencepiece
        processor = sentencepiece.SentencePieceProcessor(model_file=str(checkpoint / "tokenizer.model"))
    for text in texts:
        ids = encode_plain(tokenizer, text)
        if processor and ids != processor.encode(text):
            sys.exit(f"AutoTokenizer gives {ids[:12]}..., sentencepiece {processor.encode(text)[:12]}... "
                     f"for {text[:40]!r}")
        back = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        if back != text:
            sys.exit(f"AutoTokenizer decodes {text[:40]!r} to {back[:40]!r}")
    print(f"           {'equal to sentencepiece and ' if processor else ''}exact both ways on {len(texts)} texts")
    return tokenizer


@torch.no_grad()
def mean_loss(model, windows):
    total, count = 0.0, 0
    for window in windows:
        ids = torch.tensor([window])
        logits = model(input_ids=ids[:, :-1]).logits.double()
        total += torch.nn.functional.cross_entropy(logits[0], ids[0, 1:], reduction="sum").item()
        count += len(window) - 1
    print(f"loss       {total / count:.6f} nats a token over {count:,} tokens in {len(windows)} windows")
    return total / count


def loss_in(output):
    """The loss that `muonlab eval` printed."""
    for key in ("val_loss", "loss"):
        found = re.search(rf'"{key}"\s*:\s*([-+.\deE]+)', output) or re.search(rf"\b{key}\s+([\d.]+)", output)
        if found:
            return float(found.group(1))
    sys.exit("found no loss in the output of eval")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--samples", type=pathlib.Path, help="JSON lines of `muonlab data samples`")
    parser.add_argument("--text", type=pathlib.Path, help="a UTF-8 text, cut into windows of the model's context")
    parser.add_argument("--expect", type=float, help="the loss it should be")
    parser.add_argument("--eval", type=pathlib.Path, help="saved output of `muonlab eval`; its loss is expected")
    parser.add_argument("--limit", type=float, default=1e-4, help="largest difference of the two losses")
    parser.add_argument("--prompt", help="also continue this text greedily by 40 tokens")
    arguments = parser.parse_args()
    expected = loss_in(arguments.eval.read_text()) if arguments.eval else arguments.expect
    if expected is not None and not (arguments.samples or arguments.text):
        parser.error("--expect and --eval need --samples or --text to compare with")

    model = load_model(arguments.checkpoint)
    text = arguments.text.read_text(encoding="utf-8") if arguments.text else None
    tokenizer = check_tokenizer(arguments.checkpoint, model, [TRICKY] + ([text[:20000]] if text else []))
    windows = []
    if arguments.samples:
        windows += [json.loads(line)["tokens"] for line in arguments.samples.read_text().splitlines()]
    if text is not None:
        if tokenizer is None:
            sys.exit("--text needs a tokenizer in the checkpoint; use --samples")
        ids, t = encode_plain(tokenizer, text), model.config.max_position_embeddings
        windows += [ids[i:i + t + 1] for i in range(0, len(ids) - 1, t)]
    if windows:
        loss = mean_loss(model, windows)
        if expected is not None:
            difference = abs(loss - expected)
            equal = difference <= arguments.limit  # false for NaN
            print(f"expected   {expected:.6f}, difference {difference:.1e}, limit {arguments.limit:.0e}: "
                  f"{'equal' if equal else 'NOT EQUAL'}")
            if not equal:
                sys.exit(1)
    if arguments.prompt:
        if tokenizer is None:
            sys.exit("--prompt needs a tokenizer in the checkpoint")
        ids = torch.tensor([encode_plain(tokenizer, arguments.prompt)])
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=40, do_sample=False)
        print(f"continues  {tokenizer.decode(out[0])!r}")


if __name__ == "__main__":
    main()
