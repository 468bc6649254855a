"""The architectures of transformers: which there are, and the class that shows most of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import transformers
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

__all__ = ["Architecture", "architectures"]

KINDS = {
    "SEQ_TO_SEQ_CAUSAL_LM": "seq2seq",
    "SPEECH_SEQ_2_SEQ": "speech",
    "IMAGE_TEXT_TO_TEXT": "several kinds of input",
    "MULTIMODAL_LM": "several kinds of input",
    "MASKED_LM": "encoder",
    "CAUSAL_LM": "decoder",
    "PRETRAINING": "other",
    "CTC": "speech",
    "AUDIO_CLASSIFICATION": "speech",
    "TEXT_TO_SPECTROGRAM": "speech",
    "TEXT_TO_WAVEFORM": "speech",
    "OBJECT_DETECTION": "vision",
    "UNIVERSAL_SEGMENTATION": "vision",
    "INSTANCE_SEGMENTATION": "vision",
    "SEMANTIC_SEGMENTATION": "vision",
    "DEPTH_ESTIMATION": "vision",
    "IMAGE_CLASSIFICATION": "vision",
    "VIDEO_CLASSIFICATION": "vision",
    "MASKED_IMAGE_MODELING": "vision",
    "KEYPOINT_DETECTION": "vision",
    "MASK_GENERATION": "vision",
    "IMAGE_TO_IMAGE": "vision",
    "ZERO_SHOT_IMAGE_CLASSIFICATION": "several kinds of input",
    "ZERO_SHOT_OBJECT_DETECTION": "several kinds of input",
    "VISUAL_QUESTION_ANSWERING": "several kinds of input",
    "TIME_SERIES_PREDICTION": "time series",
    "QUESTION_ANSWERING": "encoder",
    "SEQUENCE_CLASSIFICATION": "encoder",
}
"""Tasks, those whose models have most parts first, and what kind of model each tells of."""


@dataclass(frozen=True)
class Architecture:
    """A type of model, and one of its classes.

    Attributes
    ----------
    model_type : str
    kind : str
        Seq2seq, encoder, vision and so on, as far as its tasks tell.
    class_name : str
        Of transformers.
    """

    model_type: str
    kind: str
    class_name: str

    @property
    def config_class(self) -> Any:
        """The class of its configuration."""
        return CONFIG_MAPPING[self.model_type]

    @property
    def model_class(self) -> Any:
        """The class of its model.

        Raises
        ------
        ImportError
            If it needs a package that is not there.
        """
        found = getattr(transformers, self.class_name)
        if "dummy" in found.__module__:
            found()  # raises the error that names the package
        return found


def architectures() -> list[Architecture]:
    """Return every type that an auto class makes a model of, by name."""
    tasks = {task: getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES") for task in KINDS}
    found = []
    for model_type in sorted(CONFIG_MAPPING_NAMES):
        name = modeling_auto.MODEL_MAPPING_NAMES.get(model_type)
        kind = "vision" if "vision" in model_type else "other"
        for task, classes in tasks.items():
            if model_type in classes:
                name, kind = classes[model_type], KINDS[task]
                break
        if name is not None:
            found.append(Architecture(model_type, kind, name if isinstance(name, str) else name[0]))
    return found
