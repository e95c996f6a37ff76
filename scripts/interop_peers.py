"""What scripts/interop_models compares: models and tokenizers made by other libraries, and muonlab as a command."""

import json
import pathlib
import subprocess
import sys

import numpy
import torch
import transformers
from transformers import (ArceeConfig, ArceeForCausalLM, Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM,
                          Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM)

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

VOCABULARY, END = 512, 0
SHAPE = dict(vocab_size=VOCABULARY, hidden_size=64, intermediate_size=160, num_hidden_layers=3, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=128, rope_theta=5000.0, bos_token_id=END, eos_token_id=END)
KINDS = ("llama", "qwen3", "arcee", "gemma2", "gemma3")
program = pathlib.Path()  # muonlab


def run(*arguments, folder, check=True, stdin=None):
    """Bytes decoded here: Python's text mode would make newlines of carriage returns that a model wrote."""
    done = subprocess.run([str(program), *map(str, arguments)], cwd=folder, capture_output=True,
                          input=None if stdin is None else stdin.encode())
    done.stdout, done.stderr = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    if check and done.returncode != 0:
        sys.exit(f"muonlab {' '.join(map(str, arguments))}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def make_model(kind, tied=False, seed=1, **more):
    torch.manual_seed(seed)
    shape = {**SHAPE, "tie_word_embeddings": tied, "initializer_range": 0.1, **more}
    if kind == "llama":
        model = LlamaForCausalLM(LlamaConfig(**shape))
    elif kind == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=32))
    elif kind == "arcee":
        model = ArceeForCausalLM(ArceeConfig(**shape, head_dim=16))
    elif kind == "gemma2":
        model = Gemma2ForCausalLM(Gemma2Config(**shape, head_dim=32, sliding_window=16, query_pre_attn_scalar=20,
                                               attn_implementation="eager"))
    else:
        sets = {"full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 5000.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 500.0}}
        del shape["rope_theta"]
        model = Gemma3ForCausalLM(Gemma3TextConfig(
            **shape, head_dim=32, sliding_window=16, query_pre_attn_scalar=20, rope_parameters=sets,
            layer_types=["sliding_attention", "sliding_attention", "full_attention"]))
    with torch.no_grad():  # gains of exactly one would hide a mistake in their order
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5).sub_(1.0 if kind.startswith("gemma") else 0.0)
    return model.eval()


def make_text_tokenizer(folder):
    """A byte-level BPE as GPT-2's, trained here on this script's own text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([pathlib.Path(__file__).read_text()], trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")
    fast.save_pretrained(folder)
    return fast


def documents(count, length, seed=0):
    random = numpy.random.default_rng(seed)
    # Each token is likely followed by a fixed one, so that there is something to learn.
    following = random.permutation(numpy.arange(1, VOCABULARY))
    texts = []
    for _ in range(count):
        ids = [int(random.integers(1, VOCABULARY))]
        while len(ids) < length:
            ids.append(int(following[ids[-1] - 1]) if random.random() < 0.7 else int(random.integers(1, VOCABULARY)))
        texts.append(ids)
    return texts


def write_ids(path, texts):
    """nanoGPT's layout: uint16, an end of text after each document."""
    numpy.array([i for text in texts for i in text + [END]], dtype=numpy.uint16).tofile(path)


@torch.no_grad()
def losses_there(model, ids):
    """Of each token but the first, in double precision."""
    logits = model.float()(input_ids=torch.tensor([ids])).logits.double()[0]
    return torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")


def loss_there(model, texts):
    losses = torch.cat([losses_there(model, [END] + ids) for ids in texts])
    return losses.mean().item()


def loss_here(model_folder, data, folder):
    out = run("eval", model_folder, "--data", data, "--format", "uint16", "--json", folder=folder).stdout
    return json.loads(out.splitlines()[-1])["loss"]


def close(what, ours, theirs, limit=1e-4):
    difference = abs(ours - theirs)
    if not difference <= limit:
        sys.exit(f"{what}: {ours} here, {theirs} there: {difference:.2e} is more than {limit:.0e}")
    return difference


def equal(what, ours, theirs):
    if ours != theirs:
        sys.exit(f"{what}: not equal\n  here  {str(ours)[:500]}\n  there {str(theirs)[:500]}")
