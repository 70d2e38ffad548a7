---Ghost text: Neovim's own where it has it (0.12), the plugin's otherwise. Accepting is the same for
---both: what was typed since counts, the cursor ends behind the text, and undo takes it as one step.
local config = require('remask.config')
local edit = require('remask.edit')

local M = {}

---@class remask.GhostItem
---@field row integer where its text begins
---@field column integer in bytes
---@field text string
---@field command? lsp.Command to run once all of it is accepted
---@field client_id integer

---@class remask.GhostBackend
---@field attach fun(client: vim.lsp.Client, bufnr: integer)
---@field visible fun(): boolean
---@field dismiss fun(): boolean
---@field next fun()
---@field trigger fun()
---@field take fun(use: fun(item: remask.GhostItem)): boolean

---@return remask.GhostBackend
function M.backend()
  local chosen = config.get('ghost')
  local has_native = vim.lsp.inline_completion ~= nil
  if chosen == 'native' or (chosen == 'auto' and has_native) then
    return require('remask.ghost.native')
  end
  return require('remask.ghost.own')
end

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  if config.get('ghost') ~= false then
    M.backend().attach(client, bufnr)
  end
end

---Return the part of an item that is to be accepted.
---@param text string
---@param part 'all'|'word'|'line'
---@return string
function M.part(text, part)
  if part == 'all' then
    return text
  end
  if part == 'word' then
    -- Blanks, then a word or a run of other characters.
    return vim.fn.matchstr(text, [=[^\_s*\%(\k\+\|[^[:keyword:][:space:]]\+\)\?]=])
  end
  local stop = text:find('\n', 2, true)
  return stop and text:sub(1, stop - 1) or text
end

---Return what of an item's text is not typed yet; nil where what was typed is something else.
---@param item remask.GhostItem
---@return string?
function M.remainder(item)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  row = row - 1
  if row < item.row or (row == item.row and column < item.column) then
    return nil
  end
  local typed = vim.api.nvim_buf_get_text(0, item.row, item.column, row, column, {})
  local text = table.concat(typed, '\n')
  return vim.startswith(item.text, text) and item.text:sub(#text + 1) or nil
end

---Insert a part of an item at the cursor.
---@param item remask.GhostItem
---@param part 'all'|'word'|'line'
local function insert(item, part)
  local rest = M.remainder(item)
  local text = rest and M.part(rest, part) or ''
  if text == '' then
    return
  end
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local lines = vim.split(text, '\n', { plain = true })
  edit.break_undo()
  vim.api.nvim_buf_set_text(0, row - 1, column, row - 1, column, lines)
  local start = #lines == 1 and column or 0
  vim.api.nvim_win_set_cursor(0, { row + #lines - 1, start + #lines[#lines] })
  edit.break_undo()
  local client = vim.lsp.get_client_by_id(item.client_id)
  if text == rest and item.command and client then
    client:exec_cmd(item.command, { bufnr = vim.api.nvim_get_current_buf() })
  end
end

---@param part 'all'|'word'|'line'
---@return boolean whether there was anything to accept
function M.accept(part)
  return M.backend().take(function(item)
    insert(item, part)
  end)
end

---Ask for ghost text now.
function M.trigger()
  M.backend().trigger()
end

return M
