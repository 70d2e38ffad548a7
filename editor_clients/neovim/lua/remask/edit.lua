---Putting an edit into a buffer: one step of undo, and only into the text it was made for.
local M = {}

---Return the text edits of a workspace edit. Remask edits one document at a time.
---@param edit lsp.WorkspaceEdit
---@return lsp.TextEdit[]
function M.text_edits(edit)
  local edits = {}
  for _, change in ipairs(edit.documentChanges or {}) do
    vim.list_extend(edits, change.edits)
  end
  for _, list in pairs(edit.changes or {}) do
    vim.list_extend(edits, list)
  end
  return edits
end

---@param edit lsp.WorkspaceEdit
---@return boolean
function M.is_empty(edit)
  return #M.text_edits(edit) == 0
end

---Return why a buffer takes no edit, with what to do; nil where it does.
---@param bufnr integer
---@return string?
function M.obstacle(bufnr)
  local kind = vim.bo[bufnr].buftype
  if vim.list_contains({ 'terminal', 'prompt', 'quickfix' }, kind) then
    return ('a %s buffer is nothing to edit'):format(kind)
  elseif not vim.bo[bufnr].modifiable then
    return "this buffer can't be changed; `:set modifiable` allows it"
  elseif vim.bo[bufnr].readonly then
    return 'this file is read-only; `:set noreadonly` allows changes'
  end
end

---Return whether the server wants an edit to be looked at before it is applied.
---@param edit lsp.WorkspaceEdit
---@return boolean
function M.needs_review(edit)
  for _, annotation in pairs(edit.changeAnnotations or {}) do
    if annotation.needsConfirmation then
      return true
    end
  end
  return false
end

---End the running step of undo, so that the next change is one of its own.
function M.break_undo()
  vim.cmd('let &g:undolevels = &g:undolevels')
end

---Apply a result and say so with `User RemaskApplied`.
---@param result remask.Result
function M.apply(result)
  local obstacle = M.obstacle(result.bufnr)
  if obstacle then
    return require('remask.status').say(obstacle, vim.log.levels.WARN)
  end
  vim.api.nvim_buf_call(result.bufnr, M.break_undo)
  vim.lsp.util.apply_text_edits(M.text_edits(result.edit), result.bufnr, result.encoding)
  vim.api.nvim_buf_call(result.bufnr, M.break_undo)
  vim.api.nvim_exec_autocmds('User', { pattern = 'RemaskApplied', modeline = false })
end

---Answer `workspace/applyEdit`, strictly: Neovim's own answer says "applied" to a stale edit too.
---@param params lsp.ApplyWorkspaceEditParams
---@param client_id integer
---@return lsp.ApplyWorkspaceEditResult
function M.answer(params, client_id)
  local uris = vim.tbl_keys(params.edit.changes or {})
  for _, change in ipairs(params.edit.documentChanges or {}) do
    local document = change.textDocument
    table.insert(uris, document.uri)
    local version = vim.lsp.util.buf_versions[vim.uri_to_bufnr(document.uri)]
    if document.version ~= vim.NIL and document.version ~= version then
      return { applied = false, failureReason = 'The text changed meanwhile.' }
    end
  end
  for _, uri in ipairs(uris) do
    local obstacle = M.obstacle(vim.uri_to_bufnr(uri))
    if obstacle then
      return { applied = false, failureReason = obstacle }
    end
  end
  local client = assert(vim.lsp.get_client_by_id(client_id))
  M.break_undo()
  local is_fine, fault =
    pcall(vim.lsp.util.apply_workspace_edit, params.edit, client.offset_encoding)
  M.break_undo()
  return { applied = is_fine, failureReason = not is_fine and tostring(fault) or nil }
end

return M
