---Ghost text: Neovim's own where it has it (0.12), the plugin's otherwise. Accepting is the same for
---both: what was typed since counts, the cursor ends behind the text, and undo takes it as one step.
local config = require('remask.config')
local events = require('remask.ghost.events')
local insert = require('remask.ghost.insert')
local menu = require('remask.menu')

local M = {}

---@class remask.GhostItem
---@field row integer where its text begins
---@field column integer in bytes
---@field text string
---@field lsp table what the server sent
---@field client_id integer
---@field was_shown? boolean

---@class remask.GhostBackend
---@field attach fun(client: vim.lsp.Client, bufnr: integer)
---@field visible fun(): boolean
---@field item fun(): remask.GhostItem? what is shown; nil where it is not the server's
---@field dismiss fun(): boolean
---@field next fun()
---@field trigger fun()
---@field resume fun() show it again, or ask anew: what hid it is gone
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

---The buffers that have ghost text.
---@type table<integer, true>
local attached = {}

local function is_inserting()
  local is_ours = attached[vim.api.nvim_get_current_buf()]
  return is_ours and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

local function step_aside()
  if is_inserting() then
    M.backend().dismiss()
  end
end

local function come_back()
  if is_inserting() and not menu.visible() then
    M.backend().resume()
  end
end

---@param client vim.lsp.Client
---@param bufnr integer
function M.attach(client, bufnr)
  if config.get('ghost') == false then
    return
  end
  if not next(attached) then
    menu.watch(step_aside, come_back)
  end
  attached[bufnr] = true
  M.backend().attach(client, bufnr)
  -- Who has begun to write before the server was there wrote for it, too.
  vim.schedule(come_back)
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
local function take(item, part)
  local rest = M.remainder(item)
  local text = rest and M.part(rest, part) or ''
  if text == '' then
    return
  end
  local bufnr = vim.api.nvim_get_current_buf()
  insert.accept(text, function()
    if text == rest then
      events.accepted(item, bufnr)
    else
      events.partly_accepted(item, #item.text - #rest + #text)
    end
  end)
end

---@param part 'all'|'word'|'line'
---@return boolean whether there was anything to accept
function M.accept(part)
  if insert.comes_by_itself() then
    return true
  end
  local backend = M.backend()
  local item = backend.visible() and backend.item()
  if item and (M.remainder(item) or '') == '' then
    -- The cursor is elsewhere by now; the key is not ours.
    return false
  end
  return backend.take(function(found)
    take(found, part)
  end)
end

---Ask for ghost text now.
function M.trigger()
  M.backend().trigger()
end

return M
