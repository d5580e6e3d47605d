"""Small configs in the style of the old release, for tests to change."""

from __future__ import annotations

from typing import Any

ORDERS = {
    "maskformer": ("self_attn", "norm", "cross_attn", "norm", "ffn", "norm"),
    "mask2former": ("cross_attn", "norm", "self_attn", "norm", "ffn", "norm"),
}
DECODER = "model.decode_head.transformer_decoder"
LAYER = f"{DECODER}.transformerlayers"
ENCODER = "model.decode_head.pixel_decoder.encoder"

SOURCE = """\
# A config of mine.
custom_imports = dict(imports='mmdet.models', allow_failed_imports=False)
crop_size = (512, 512)  # height, width
model = dict(
    type='EncoderDecoder',
    decode_head=dict(
        type='MaskFormerHead',
        num_queries=42,
        positional_encoding=dict(
            type='mmdet.SinePositionalEncoding', num_feats=4,
            normalize=True),
        # nine layers were too slow
        transformer_decoder=dict(  # the decoder
            type='mmdet.DetrTransformerDecoder',  # of DETR
            return_intermediate=True,
            num_layers=3,  # not six
            transformerlayers=dict(
                type='mmdet.DetrTransformerDecoderLayer',
                attn_cfgs=dict(
                    type='mmdet.MultiheadAttention',
                    embed_dims=8,
                    num_heads=2,
                    batch_first=False),
                ffn_cfgs=dict(
                    embed_dims=8,
                    feedforward_channels=16,
                    ffn_drop=0.1),
                # the following parameter was not used,
                # just make current api happy
                feedforward_channels=16,
                operation_order=('self_attn', 'norm', 'cross_attn', 'norm',
                                 'ffn', 'norm')),
            init_cfg=None)))
"""


def old_config(family: str = "maskformer", **layer: Any) -> dict[str, Any]:
    """A config with a decoder; `layer` changes the settings of its layers, None takes one out."""
    settings = {
        "type": "mmdet.DetrTransformerDecoderLayer",
        "attn_cfgs": {
            "type": "mmdet.MultiheadAttention",
            "embed_dims": 8,
            "num_heads": 2,
            "batch_first": False,
        },
        "ffn_cfgs": {"embed_dims": 8, "feedforward_channels": 16, "num_fcs": 2, "ffn_drop": 0.0},
        "feedforward_channels": 16,
        "operation_order": ORDERS[family],
    }
    settings = {k: v for k, v in {**settings, **layer}.items() if v is not None}
    decoder = {
        "type": "mmdet.DetrTransformerDecoder",
        "return_intermediate": True,
        "num_layers": 2,
        "transformerlayers": settings,
        "init_cfg": None,
    }
    return {"model": {"type": "EncoderDecoder", "decode_head": {"transformer_decoder": decoder}}}


def decoder_of(config: Any) -> dict[str, Any]:
    decoder: dict[str, Any] = config["model"]["decode_head"]["transformer_decoder"]
    return decoder


def encoder(**layer: Any) -> dict[str, Any]:
    settings = {
        "type": "BaseTransformerLayer",
        "attn_cfgs": {"type": "MultiheadAttention", "embed_dims": 8, "num_heads": 2},
        "ffn_cfgs": {"type": "FFN", "embed_dims": 8, "ffn_drop": 0.1},
        "operation_order": ("self_attn", "norm", "ffn", "norm"),
    }
    settings = {k: v for k, v in {**settings, **layer}.items() if v is not None}
    return {"type": "DetrTransformerEncoder", "num_layers": 1, "transformerlayers": settings}
