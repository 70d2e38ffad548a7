---What becomes of ghost text, told to a server that wants to know.
local M = {}

local SHOWN = 'textDocument/didShowCompletion'
local PARTLY_ACCEPTED = 'textDocument/didPartiallyAcceptCompletion'

---@param client_id integer
---@return vim.lsp.Client?
local function listener(client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  local announced = client and client.server_capabilities.experimental
  local ours = type(announced) == 'table' and announced.remask
  return type(ours) == 'table' and ours.ghostEvents == true and client or nil
end

---@param item remask.GhostItem
function M.shown(item)
  local client = listener(item.client_id)
  if client and not item.was_shown then
    item.was_shown = true
    client:notify(SHOWN, { item = item.lsp })
  end
end

---@param item remask.GhostItem
---@param n_bytes integer how much of its text stands in the buffer now
function M.partly_accepted(item, n_bytes)
  local client = listener(item.client_id)
  if client then
    local length = vim.str_utfindex(item.text, 'utf-16', n_bytes)
    client:notify(PARTLY_ACCEPTED, { item = item.lsp, acceptedLength = length })
  end
end

---@param item remask.GhostItem
---@param bufnr integer
function M.accepted(item, bufnr)
  local client = vim.lsp.get_client_by_id(item.client_id)
  if client and item.lsp.command then
    client:exec_cmd(item.lsp.command, { bufnr = bufnr })
  end
end

return M
