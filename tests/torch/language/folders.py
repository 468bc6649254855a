"""Folders of small language models, made from nothing."""

import torch
import transformers
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

LETTERS = "abcdefghijklmnopqrstuvwxyz .\n"
SPECIAL = ("<s>", "</s>")
IDS = {token: k for k, token in enumerate([*SPECIAL, *LETTERS])}
SIZES = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}


def tokenizer(*, begins=False):
    """A token for each letter; `begins`: the sign that a text begins is put before it."""
    plain = Tokenizer(models.WordLevel(IDS, unk_token="</s>"))
    plain.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    if begins:
        plain.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, bos_token="<s>", eos_token="</s>"
    )


def llama(seed=0, **sizes):
    """A small decoder, which prefers some tokens to others."""
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**(SIZES | sizes)))
    for weight in model.parameters():
        weight.data *= 8
    return model.eval()


def write_folder(path, model=None, words=None):
    """Write a model and its tokenizer, each if it is given; return the path."""
    path.mkdir(parents=True, exist_ok=True)
    transformers.logging.disable_progress_bar()
    for part in (model, words):
        if part is not None:
            part.save_pretrained(path)
    return path
