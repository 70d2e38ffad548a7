"""What clients and the runtime say to each other.

With `framing` all that both processes import, under this one name; so it imports nothing but the
standard library and msgspec. A client sends `Hello`, then any of `ClientMessage`; the runtime
answers `Welcome` or `Refused`, then any of `RuntimeMessage`.

Rule 1. Every `InfillRequest` gets exactly one terminal message: `Finished` or `Failed`; a
        `NextEditRequest` gets `NextEdits` or `Failed`. Cancelled, superseded, out of time and "the
        runtime died" are terminal messages too; the last one is made by the client's own side when
        the socket closes.
Rule 2. `Notice` and `StepReport` come before the terminal message of their request, never after.
Rule 3. A request carries text, never token ids.
"""

from __future__ import annotations

from model_runtime.protocol.connection import (
    Cancel,
    Failed,
    FailureCode,
    Hello,
    Notice,
    Refused,
    Shutdown,
    Status,
    StatusRequest,
    Stopping,
    Welcome,
)
from model_runtime.protocol.infill import (
    AFTER_A_MISS,
    HOPELESS,
    LEAST_CONFIDENCE,
    WRITING,
    Alternative,
    ContextFile,
    ContextForm,
    Eagerness,
    Enclosing,
    Finish,
    Finished,
    InfillRequest,
    Lane,
    MaskSpan,
    Mode,
    StepReport,
    Stretch,
    Task,
    TokenScore,
    Usage,
)
from model_runtime.protocol.message import Message
from model_runtime.protocol.next_edit import (
    Change,
    Group,
    NextEditRequest,
    NextEdits,
    Place,
    Proposal,
)

PROTOCOL_VERSION = 4

#: One message on the wire, packed, may not be larger. A request holds one file and its context.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024

#: In the runtime's directory, the Unix socket it listens on. The version is part of the name, so
#: that an editor that was updated starts a runtime of its own and needn't wait for the old one.
SOCKET_NAME = f"runtime-{PROTOCOL_VERSION}.sock"
#: Where there are no Unix sockets: a user-only file, "port token", for a port of the loopback.
ADDRESS_NAME = f"runtime-{PROTOCOL_VERSION}.tcp"
#: Held by whoever starts a runtime there, so that two clients don't start two.
START_LOCK_NAME = "start.lock"

ClientMessage = Hello | InfillRequest | NextEditRequest | Cancel | StatusRequest | Shutdown
RuntimeMessage = (
    Welcome | Refused | Notice | StepReport | Finished | NextEdits | Failed | Status | Stopping
)

__all__ = [
    "ADDRESS_NAME",
    "AFTER_A_MISS",
    "HOPELESS",
    "LEAST_CONFIDENCE",
    "MAX_MESSAGE_BYTES",
    "PROTOCOL_VERSION",
    "SOCKET_NAME",
    "START_LOCK_NAME",
    "WRITING",
    "Alternative",
    "Cancel",
    "Change",
    "ClientMessage",
    "ContextFile",
    "ContextForm",
    "Eagerness",
    "Enclosing",
    "Failed",
    "FailureCode",
    "Finish",
    "Finished",
    "Group",
    "Hello",
    "InfillRequest",
    "Lane",
    "MaskSpan",
    "Message",
    "Mode",
    "NextEditRequest",
    "NextEdits",
    "Notice",
    "Place",
    "Proposal",
    "Refused",
    "RuntimeMessage",
    "Shutdown",
    "Status",
    "StatusRequest",
    "StepReport",
    "Stopping",
    "Stretch",
    "Task",
    "TokenScore",
    "Usage",
    "Welcome",
]
