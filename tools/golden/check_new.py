"""Finish a golden folder with the current release: its config, and the measured difference.

    python check_new.py CASE OUT_DIR         (in the new environment, after train_old.py)

The renaming here is a throw-away: three replacements, enough for weights that are known to fit.
"""

from collections import OrderedDict
from pathlib import Path

import mmcv_ext_stub
import new_half
import torch

mmcv_ext_stub.install()

import record_outputs  # noqa: E402
from configs import CASES, Case, build_config  # noqa: E402

DECODER_ROLES = {"maskformer": ("self_attn", "cross_attn"), "mask2former": ("cross_attn", "self_attn")}


def renamed(key: str, family: str) -> str:
    """The new name of a key of the old state dict."""
    first, second = DECODER_ROLES[family]
    if "transformer_decoder.layers." in key:
        key = key.replace("attentions.0.", f"{first}.").replace("attentions.1.", f"{second}.")
    elif "encoder.layers." in key:
        key = key.replace("attentions.0.", "self_attn.")
    return key.replace("ffns.0.", "ffn.") if ".layers." in key else key


def measure(case: Case, folder: Path, checkpoint: Path) -> dict[str, float]:
    """New code, new config, renamed weights, torch's own strict load: the largest differences."""
    old = record_outputs.load_state_dict(checkpoint)
    state_dict = OrderedDict((renamed(key, case.family), value) for key, value in old.items())
    if len(state_dict) != len(old):
        raise ValueError("two old names became one")
    reference = record_outputs.read_arrays(folder / "reference.npz")
    image = torch.from_numpy(reference["image"])
    outputs = record_outputs.outputs_of(folder / "new_config.py", state_dict, image)
    return record_outputs.max_abs_diff(outputs, reference)


if __name__ == "__main__":
    new_half.main(__doc__, CASES, record_outputs.versions, build_config, measure)
