"""What becomes of each setting of an old config, and what is refused, by value."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from old_style import DECODER, ENCODER, LAYER, decoder_of, encoder, old_config

from mm_ckpt_migrate.configs.migrate.values import migrate_config
from mm_ckpt_migrate.errors import ConfigError, ExitCode
from mm_ckpt_migrate.mapping.rules.library import Library

Migrated = Callable[[Any], Any]
Refused = Callable[[Any], str]

ATTENTION = {"type": "mmdet.MultiheadAttention", "embed_dims": 8, "num_heads": 2}
NEW_ATTENTION = {"embed_dims": 8, "num_heads": 2, "batch_first": True}


@pytest.fixture
def migrated(library: Library) -> Migrated:
    return lambda config: migrate_config(config, library.families, "old.py").config


@pytest.fixture
def refused(library: Library) -> Refused:
    """Migrate what cannot be migrated, and give the sentence."""

    def refuse(config: Any) -> str:
        before = copy.deepcopy(config)
        with pytest.raises(ConfigError) as caught:
            migrate_config(config, library.families, "old.py")
        assert config == before
        assert caught.value.exit_code is ExitCode.BAD_TARGET
        assert "\n" not in caught.value.message
        return caught.value.message

    return refuse


def layer_of(config: Any) -> dict[str, Any]:
    layer: dict[str, Any] = decoder_of(config)["layer_cfg"]
    return layer


@pytest.mark.parametrize("family", ["maskformer", "mask2former"])
def test_the_whole_decoder_in_its_order(family: str, library: Library) -> None:
    old = old_config(family)
    before = copy.deepcopy(old)
    result = migrate_config(old, library.families, "old.py")
    assert result.family == family
    assert old == before
    assert repr(decoder_of(result.config)) == repr(
        {
            "return_intermediate": True,
            "num_layers": 2,
            "layer_cfg": {
                "self_attn_cfg": NEW_ATTENTION,
                "cross_attn_cfg": NEW_ATTENTION,
                "ffn_cfg": {"embed_dims": 8, "feedforward_channels": 16, "num_fcs": 2, "ffn_drop": 0.0},
            },
            "init_cfg": None,
        }
    )


def test_each_change_is_a_sentence(library: Library) -> None:
    changes = migrate_config(old_config(), library.families, "old.py").changes
    assert f"{DECODER}.transformerlayers is now layer_cfg" in changes
    assert f"{LAYER}.attn_cfgs is now self_attn_cfg and cross_attn_cfg" in changes
    assert f"{LAYER}.attn_cfgs.batch_first is now True: the current release wants it so" in changes
    assert len(changes) == len(set(changes)) == 9


def test_the_copies_of_an_attention_are_two(migrated: Migrated) -> None:
    layer = layer_of(migrated(old_config()))
    assert layer["self_attn_cfg"] is not layer["cross_attn_cfg"]


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("maskformer", {"self_attn_cfg": 2, "cross_attn_cfg": 4}),
        ("mask2former", {"self_attn_cfg": 4, "cross_attn_cfg": 2}),
    ],
)
@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_attentions_is_dealt_out(
    family: str, expected: dict[str, int], kind: Any, migrated: Migrated
) -> None:
    attentions = kind([ATTENTION, {**ATTENTION, "num_heads": 4}])
    layer = layer_of(migrated(old_config(family, attn_cfgs=attentions)))
    assert {k: layer[k]["num_heads"] for k in ("self_attn_cfg", "cross_attn_cfg")} == expected
    assert list(layer)[:2] == ["self_attn_cfg", "cross_attn_cfg"]


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_list_of_another_length_is_refused(number: int, refused: Refused) -> None:
    message = refused(old_config(attn_cfgs=[ATTENTION] * number))
    assert f"{LAYER}.attn_cfgs has {number} elements, and 2 are used" in message


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # The layer's own arguments prevailed, and its defaults where they were left out.
        ({"ffn_cfgs": {"embed_dims": 8, "ffn_drop": 0.1}}, {"ffn_drop": 0.0, "num_fcs": 2}),
        ({"ffn_dropout": 0.3}, {"ffn_drop": 0.3}),
        ({"ffn_num_fcs": 3}, {"num_fcs": 3}),
        ({"feedforward_channels": 32}, {"feedforward_channels": 32}),
        ({"ffn_cfgs": None}, {"feedforward_channels": 16, "ffn_drop": 0.0, "num_fcs": 2}),
        ({"ffn_cfgs": [{"type": "mmcv.FFN", "add_identity": False}]}, {"add_identity": False}),
        # The width of the layer was filled in where it was left out.
        ({"ffn_cfgs": {"act_cfg": {"type": "GELU"}}}, {"embed_dims": 8}),
        ({"attn_cfgs": [ATTENTION, ATTENTION], "ffn_cfgs": {}}, {"embed_dims": 8}),
    ],
)
def test_the_network_gets_what_the_old_layer_gave_it(
    settings: Any, expected: Any, migrated: Migrated
) -> None:
    network = layer_of(migrated(old_config(**settings)))["ffn_cfg"]
    assert {key: network[key] for key in expected} == expected
    assert "type" not in network


def test_an_encoder_layer_sets_only_what_it_states(migrated: Migrated) -> None:
    old = old_config()
    old["model"]["decode_head"]["pixel_decoder"] = {"type": "X", "encoder": encoder()}
    new = migrated(old)["model"]["decode_head"]["pixel_decoder"]["encoder"]
    assert new["layer_cfg"]["ffn_cfg"] == {"embed_dims": 8, "ffn_drop": 0.1}
    changed = encoder(ffn_cfgs=None, feedforward_channels=4, ffn_dropout=0.2)
    old["model"]["decode_head"]["pixel_decoder"]["encoder"] = changed
    new = migrated(old)["model"]["decode_head"]["pixel_decoder"]["encoder"]
    network = {"feedforward_channels": 4, "ffn_drop": 0.2, "embed_dims": 8}
    assert network.items() >= new["layer_cfg"]["ffn_cfg"].items()


def test_defaults_that_changed_are_written_out(migrated: Migrated) -> None:
    old = old_config()
    del decoder_of(old)["return_intermediate"]
    assert decoder_of(migrated(old))["return_intermediate"] is False


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("decoder", {"batch_first": False}),
        ("decoder", {"act_cfg": {"type": "GELU"}}),
        ("encoder", {"batch_first": False}),
    ],
)
def test_what_did_nothing_goes(path: str, settings: Any, migrated: Migrated) -> None:
    if path == "decoder":
        assert migrated(old_config(**settings)) == migrated(old_config())
        return
    old = old_config()
    old["model"]["decode_head"]["pixel_decoder"] = {"encoder": encoder(**settings)}
    plain = copy.deepcopy(old)
    plain["model"]["decode_head"]["pixel_decoder"] = {"encoder": encoder()}
    assert migrated(old) == migrated(plain)


def test_the_norm_after_an_encoder_that_had_none_goes(migrated: Migrated) -> None:
    old = old_config()
    old["model"]["decode_head"]["pixel_decoder"] = {"encoder": encoder()}
    expected = migrated(old)
    old["model"]["decode_head"]["pixel_decoder"]["encoder"]["post_norm_cfg"] = None
    assert migrated(old) == expected


@pytest.mark.parametrize("scope", ["", "mmdet.", "mmseg.", "mmcv."])
def test_scopes_of_a_type_mean_nothing(scope: str, migrated: Migrated) -> None:
    old = old_config(type=f"{scope}DetrTransformerDecoderLayer")
    assert migrated(old) == migrated(old_config())
    scoped = old_config(attn_cfgs={**ATTENTION, "_scope_": "mmdet"})
    assert layer_of(migrated(scoped))["self_attn_cfg"] == NEW_ATTENTION


def test_equal_layers_in_a_list_become_one(migrated: Migrated, refused: Refused) -> None:
    old = old_config()
    decoder_of(old)["transformerlayers"] = [decoder_of(old)["transformerlayers"]] * 2
    assert migrated(old) == migrated(old_config())
    other = old_config(feedforward_channels=4)
    decoder_of(old)["transformerlayers"][1] = decoder_of(other)["transformerlayers"]
    assert "transformerlayers is a list of different dicts" in refused(old)


def test_settings_of_ones_own_stay(migrated: Migrated) -> None:
    old = old_config()
    old["mine"] = {"transformerlayers": {"type": "x"}, "batch_first": False}
    old["model"]["decode_head"]["num_queries"] = 7
    old["model"]["decode_head"]["note"] = [{"attn_cfgs": 1}]
    old["model"]["auxiliary_head"] = {"transformer_decoder": {"transformerlayers": {}}}
    new = migrated(old)
    assert new["mine"] == old["mine"]
    assert new["model"]["auxiliary_head"] == old["model"]["auxiliary_head"]
    assert new["model"]["decode_head"]["num_queries"] == 7
    assert new["model"]["decode_head"]["note"] == [{"attn_cfgs": 1}]


@pytest.mark.parametrize(
    ("settings", "place", "words"),
    [
        # An unknown type would be replaced in silence.
        (
            {"attn_cfgs": {**ATTENTION, "type": "MyAttention"}},
            "attn_cfgs.type",
            "is the unknown type 'MyAttention'; the current release always builds MultiheadAttention",
        ),
        (
            {"attn_cfgs": {**ATTENTION, "type": "my.MultiheadAttention"}},
            "attn_cfgs.type",
            "is the unknown type 'my.MultiheadAttention'",
        ),
        ({"attn_cfgs": {**ATTENTION, "type": 3}}, "attn_cfgs.type", "is the unknown type 3"),
        ({"attn_cfgs": {**ATTENTION, "_scope_": "mine"}}, "attn_cfgs._scope_", "unknown scope"),
        ({"type": "BaseTransformerLayer"}, "type", "is the unknown type 'BaseTransformerLayer'"),
        ({"ffn_cfgs": {"type": "GatedFFN"}}, "ffn_cfgs.type", "is the unknown type 'GatedFFN'"),
        # What the new release has not would be lost in silence.
        ({"layer_scale": 0.1}, "layer_scale", "has no counterpart in the current release"),
        ({"attn_cfgs": {**ATTENTION, "window": 7}}, "attn_cfgs.window", "has no counterpart"),
        (
            {"ffn_cfgs": {"layer_scale_init_value": 1.0}},
            "ffn_cfgs.layer_scale_init_value",
            "has no counterpart",
        ),
        # The old release computed something else with these.
        ({"batch_first": True}, "batch_first", "is True; the current release has no such setting"),
        (
            {"attn_cfgs": {**ATTENTION, "batch_first": True}},
            "attn_cfgs.batch_first",
            "is True; only with False",
        ),
        ({"attn_cfgs": {**ATTENTION, "batch_first": 0}}, "attn_cfgs.batch_first", "is 0; only"),
        # Settings of both releases.
        ({"ffn_cfg": {}}, "ffn_cfgs", "belongs to the old release, and ffn_cfg beside it"),
        # Not what it should be.
        ({"attn_cfgs": [ATTENTION, 3]}, "attn_cfgs.1", "is no dict"),
        ({"ffn_cfgs": "FFN"}, "ffn_cfgs", "is no dict"),
    ],
)
def test_what_has_no_counterpart_is_named(settings: Any, place: str, words: str, refused: Refused) -> None:
    message = refused(old_config(**settings))
    assert message.startswith(f"old.py: {LAYER}.{place} ")
    assert words in message


@pytest.mark.parametrize(
    "order", [("norm", "self_attn", "norm", "cross_attn", "norm", "ffn"), ("self_attn", "norm"), (), "abc"]
)
def test_an_order_of_no_family(order: Any, refused: Refused) -> None:
    message = refused(old_config(operation_order=order))
    assert "maskformer, mask2former" in message
    assert "operation_order" in message


def test_an_order_that_contradicts_another(refused: Refused) -> None:
    old = old_config("mask2former")
    odd = encoder(operation_order=("norm", "self_attn", "norm", "ffn"))
    old["model"]["decode_head"]["pixel_decoder"] = {"encoder": odd}
    message = refused(old)
    assert f"{ENCODER}.transformerlayers.operation_order is norm, self_attn, norm, ffn" in message


def test_no_order_at_all(refused: Refused) -> None:
    assert "tells which of maskformer, mask2former" in refused(old_config(operation_order=None))


def test_the_order_of_an_encoder_alone_does_not_tell(refused: Refused) -> None:
    old = old_config(operation_order=None)
    old["model"]["decode_head"]["pixel_decoder"] = {"encoder": encoder()}
    del old["model"]["decode_head"]["pixel_decoder"]["encoder"]["transformerlayers"]["attn_cfgs"]
    assert "tells which of maskformer, mask2former" in refused(old)


@pytest.mark.parametrize(
    ("attention", "family"),
    [("MultiheadAttention", "maskformer"), ("MultiScaleDeformableAttention", "mask2former")],
)
def test_what_an_encoder_is_made_of_tells(attention: str, family: str, library: Library) -> None:
    """Both encoders compute in one order; their attentions are of different kinds."""
    made = encoder()
    made["transformerlayers"]["attn_cfgs"] = {"type": attention, "embed_dims": 8}
    old = {"model": {"decode_head": {"pixel_decoder": {"encoder": made}}}}
    assert migrate_config(old, library.families, "old.py").family == family


def test_half_migrated(migrated: Migrated, refused: Refused) -> None:
    old = old_config()
    half = migrated(old)
    half["model"]["decode_head"]["pixel_decoder"] = {"encoder": encoder()}
    assert f"it has {ENCODER}.transformerlayers, and {DECODER}.layer_cfg" in refused(half)


def test_new_configs_stay_as_they_are(library: Library, migrated: Migrated) -> None:
    new = migrated(old_config())
    again = migrate_config(new, library.families, "new.py")
    assert (again.config, again.family, again.changes) == (new, None, ())
    assert again.config is new


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model": None},
        {"model": 3},
        {"model": {"type": "EncoderDecoder", "decode_head": {"type": "UPerHead"}}},
        {"model": {"bbox_head": {"transformer_decoder": {"transformerlayers": {}}}}},
        {"decode_head": {"transformer_decoder": {"transformerlayers": {}}}},
        {"model": {"decode_head": [1, {"transformer_decoder": "x"}]}},
    ],
)
def test_configs_of_other_models_are_told_so(config: Any, refused: Refused) -> None:
    assert refused(config) == (
        "old.py: it has no setting that differs between the releases: nothing to migrate"
    )


def test_a_terminal_is_not_acted_on(refused: Refused) -> None:
    message = refused(old_config(attn_cfgs={**ATTENTION, "type": "\x1b[31m", "\x1b": 1}))
    assert "\x1b" not in message
