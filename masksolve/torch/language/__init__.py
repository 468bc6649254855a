"""Text for language models: what calibrates, what is held out, and how well it is foretold."""

from masksolve.torch.language.calibration import Calibration, few_tokens, read_calibration
from masksolve.torch.language.evaluation import Evaluation, evaluate_checkpoint
from masksolve.torch.language.folder import LanguageModel
from masksolve.torch.language.perplexity import Perplexity, Ratio, window_losses
from masksolve.torch.language.reading import Tokens, read_tokens
from masksolve.torch.language.windows import cut, spread

__all__ = [
    "Calibration",
    "Evaluation",
    "LanguageModel",
    "Perplexity",
    "Ratio",
    "Tokens",
    "cut",
    "evaluate_checkpoint",
    "few_tokens",
    "read_calibration",
    "read_tokens",
    "spread",
    "window_losses",
]
