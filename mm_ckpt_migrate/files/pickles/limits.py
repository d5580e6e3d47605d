"""What a pickle stream may hold: wider than any genuine checkpoint needs."""

from __future__ import annotations

from typing import Final

# A 160,000-iteration training file of mmengine holds about 100 MB of logged losses as strings of
# 2 MB each, so these limits are wider than what weights alone would need.
MAX_PICKLE_BYTES: Final = 256 << 20
MAX_STRING_BYTES: Final = 64 << 20
MAX_OPCODES: Final = 10_000_000
MAX_NAME_BYTES: Final = 512
MAX_DEPTH: Final = 200
# An opcode of one byte makes an object of two hundred, and costs as much time as any other. The
# largest genuine training (Swin-L, 529 MB) has 33,000 objects; the densest has one opcode for 3.9
# bytes and one object for 13.
FREE_OPCODES: Final = 100_000
BYTES_PER_OPCODE: Final = 3
FREE_OBJECTS: Final = 50_000
BYTES_PER_OBJECT: Final = 8
# Some passes meet a shared object at each of its places.
FREE_MEETINGS: Final = 500_000
MEETINGS_PER_BYTE: Final = 1
