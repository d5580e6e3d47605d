"""Finish a detector's golden folder with the current release: its config, the measured difference.

    python check_mmdet3.py CASE OUT_DIR         (in the new environment, after train_mmdet3.py)

The renaming here is a throw-away, enough for weights that are known to fit.
"""

from collections import OrderedDict
from pathlib import Path

import new_half
import torch
from check_new import DECODER_ROLES
from mmdet3_cases import CASES, DetectorCase, build_config
from record_outputs import load_state_dict, max_abs_diff, outputs_of, read_arrays, versions

HEAD = "bbox_head."
RENAMED = {
    "transformer.level_embeds": "level_embed",
    "transformer.reference_points.": "reference_points_fc.",
    "transformer.": "",
    "input_proj.": "neck.convs.0.conv.",
    "query_embedding.": "query_embedding.",
}


def renamed(key: str, family: str) -> str:
    """The new name of a key of the old state dict."""
    for old, new in RENAMED.items():
        if key.startswith(HEAD + old):
            key = key.replace(HEAD + old, new)
    first, second = DECODER_ROLES.get(family, ("self_attn", "cross_attn"))
    if "decoder.layers." in key and "encoder" not in key:
        key = key.replace("attentions.0.", f"{first}.").replace("attentions.1.", f"{second}.")
    elif "encoder.layers." in key:
        key = key.replace("attentions.0.", "self_attn.")
    return key.replace("ffns.0.", "ffn.") if ".layers." in key else key


def measure(case: DetectorCase, folder: Path, checkpoint: Path) -> dict[str, float]:
    """New code, new config, renamed weights, torch's own strict load: the largest differences."""
    old = load_state_dict(checkpoint)
    state_dict = OrderedDict((renamed(key, case.family), value) for key, value in old.items())
    if len(state_dict) != len(old):
        raise ValueError("two old names became one")
    reference = read_arrays(folder / "reference.npz")
    image = torch.from_numpy(reference["image"])
    return max_abs_diff(reference, outputs_of(folder / "new_config.py", state_dict, image))


if __name__ == "__main__":
    new_half.main(__doc__, CASES, versions, build_config, measure)
