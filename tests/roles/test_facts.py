"""What a configuration tells."""

import json

from masksolve.roles import Facts

NESTED = {
    "model_type": "llava",
    "text_config": {"model_type": "llama", "vocab_size": 500, "hidden_size": 64},
    "vision_config": {"model_type": "clip_vision_model", "num_position_embeddings": 40},
}


def test_parts_count():
    facts = Facts.of(NESTED)
    assert facts.model_type == "llava"
    assert facts.model_types == {"llava", "llama", "clip_vision_model"}
    assert (facts.vocabularies, facts.positions, facts.widths) == ({500}, {40}, {64})


def test_nothing_is_known_without():
    assert Facts.of(None) == Facts() == Facts.of({})


def test_what_is_no_size_is_passed_over():
    odd = {"vocab_size": True, "num_experts": -1, "hidden_size": None, "n_positions": "40"}
    assert Facts.of({**odd, "model_type": ["gpt2"], "bos_token_id": 64}) == Facts()


def test_a_size_of_two_kinds_is_mistakable():
    facts = Facts.of({"vocab_size": 512, "n_positions": 64, "channels": [64, 128]})
    assert facts.unmistakable(512, facts.vocabularies)
    assert not facts.unmistakable(64, facts.positions)
    assert not facts.unmistakable(500, facts.vocabularies)


def test_rotary_models_have_no_table_of_positions():
    config = {"max_position_embeddings": 40, "rope_theta": 1e4}
    assert Facts.of(config).positions == set()
    assert Facts.of({"max_position_embeddings": 40}).positions == {40}


def test_reading_a_folder_and_beside_a_file(tmp_path):
    assert Facts.read(tmp_path) == Facts()
    (tmp_path / "config.json").write_text(json.dumps(NESTED))
    assert Facts.read(tmp_path) == Facts.read(tmp_path / "model.safetensors") == Facts.of(NESTED)
    for broken in ("[1]", "{", "[" * 100_000):
        (tmp_path / "config.json").write_text(broken)
        assert Facts.read(tmp_path) == Facts()


def test_known_types():
    assert Facts.of({"model_type": "mixtral"}).known
    assert not Facts.of({"model_type": "mixtral_of_my_own"}).known
    assert Facts.of(None).known
