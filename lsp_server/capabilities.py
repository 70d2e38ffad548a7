"""What the client can do, read once from its capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsp_server.protocol_ext import capability

if TYPE_CHECKING:
    from lsprotocol import types


@dataclass(frozen=True)
class ClientSupport:
    """What of the protocol a client supports, where Remask has a choice."""

    versioned_edits: bool = False
    #: Edits may say that they are to be confirmed.
    annotated_edits: bool = False
    apply_edit: bool = False
    configuration: bool = False
    register_configuration: bool = False
    #: It tells of changed files where it is asked to.
    register_watching: bool = False
    progress: bool = False
    #: A code action's edit may come later, from its `data`.
    resolves_edits: bool = False
    disabled_actions: bool = False
    #: Code actions may be tagged as made by a language model.
    generated_tag: bool = False
    drafts: bool = False
    #: It asks for next edits itself.
    next_edit: bool = False
    status: bool = False

    @classmethod
    def read(cls, capabilities: types.ClientCapabilities) -> ClientSupport:
        """Return the choices that a client's capabilities settle."""
        workspace, document = capabilities.workspace, capabilities.text_document
        action = document.code_action if document else None
        resolve = action.resolve_support if action else None
        return cls(
            versioned_edits=_flag(workspace, "workspace_edit", "document_changes"),
            annotated_edits=workspace is not None
            and workspace.workspace_edit is not None
            and workspace.workspace_edit.change_annotation_support is not None,
            apply_edit=_flag(workspace, "apply_edit"),
            configuration=_flag(workspace, "configuration"),
            register_configuration=_flag(
                workspace, "did_change_configuration", "dynamic_registration"
            ),
            register_watching=_flag(workspace, "did_change_watched_files", "dynamic_registration"),
            progress=_flag(capabilities.window, "work_done_progress"),
            resolves_edits=_flag(action, "data_support")
            and resolve is not None
            and "edit" in resolve.properties,
            disabled_actions=_flag(action, "disabled_support"),
            generated_tag=action is not None and action.tag_support is not None,
            drafts=capability(capabilities.experimental, "drafts"),
            next_edit=capability(capabilities.experimental, "nextEdit"),
            status=capability(capabilities.experimental, "status"),
        )


def _flag(holder: Any, *names: str) -> bool:
    for name in names:
        holder = getattr(holder, name, None)
    return holder is True
