"""Which of transformers' classes opens a stored model: by the architecture that its config names."""

from __future__ import annotations

from typing import Any

_BY_MAPPING = {
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES": "AutoModelForCausalLM",
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES": "AutoModelForMaskedLM",
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES": "AutoModelForSeq2SeqLM",
    "MODEL_MAPPING_NAMES": "AutoModel",
}


def auto_class(config: Any) -> Any:
    """AutoModelForCausalLM where the config names no architecture, or one that none of the mappings has."""
    import transformers
    from transformers.models.auto import modeling_auto

    named = set(getattr(config, "architectures", None) or ())
    for mapping, auto in _BY_MAPPING.items():
        if named & set(getattr(modeling_auto, mapping).values()):
            return getattr(transformers, auto)
    return transformers.AutoModelForCausalLM


def class_named(name: str, model_type: str) -> Any | None:
    """The class of this name that transformers has for a model type; None for any other name, whatever it spells."""
    import transformers
    from transformers.models.auto import modeling_auto

    for mapping in _BY_MAPPING:
        for registered, known in getattr(modeling_auto, mapping).items():
            if name in ((known,) if isinstance(known, str) else known):
                kind = getattr(transformers, name)
                if model_type in (registered, kind.config_class.model_type):  # of what reads text in a larger model
                    return kind
    return None
