"""One reply that gets doubtful, and what of it is shown: the same by every front."""

from __future__ import annotations

from typing import Any

#: What stands before the cursor.
BEFORE = "total = "
#: Of its tokens, up to "name": sure enough for who is balanced; what is behind that is not.
WHOLE = "compute(first_name, other)"
SURE = "compute(first_name"
REPLY: dict[str, Any] = {
    "when": "total = $",
    "texts": [WHOLE],
    "confidence": [0.9, 0.8, 0.7, 0.3],
}
