---Ghost text with extmarks, for Neovim 0.11. It stays while what is typed agrees with it, is taken
---away by anything else, and never shows beside the completion menu.

local events = require('remask.ghost.events')
local menu = require('remask.menu')

---@type remask.GhostBackend
local M = {} ---@diagnostic disable-line: missing-fields

---LSP's InlineCompletionTriggerKind.
local INVOKED, AUTOMATIC = 1, 2
local METHOD = 'textDocument/inlineCompletion'
local namespace = vim.api.nvim_create_namespace('remask.ghost')
local group = vim.api.nvim_create_augroup('remask.ghost', {})

---@class remask.Suggestion
---@field bufnr integer
---@field items remask.GhostItem[]
---@field index integer
---@field before string the text of the item's line before it
---@field after string what followed the cursor

---@type remask.Suggestion?
local current
---@type {client: vim.lsp.Client, id: integer?}?
local asked

local function cursor_line()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_get_current_line()
  return row - 1, line:sub(1, column), line:sub(column + 1)
end

local function hide()
  if current and vim.api.nvim_buf_is_valid(current.bufnr) then
    vim.api.nvim_buf_clear_namespace(current.bufnr, namespace, 0, -1)
  end
end

local function give_up()
  if asked and asked.id then
    asked.client:cancel_request(asked.id)
  end
  asked = nil
end

local function drop()
  give_up()
  hide()
  current = nil
end

---Return what is left of the suggestion; nil where the text has gone another way.
---@return string?
local function left()
  if not current or current.bufnr ~= vim.api.nvim_get_current_buf() then
    return nil
  end
  local item = current.items[current.index]
  local first = vim.api.nvim_buf_get_lines(0, item.row, item.row + 1, false)[1]
  local _, _, after = cursor_line()
  if not first or first:sub(1, item.column) ~= current.before or after ~= current.after then
    return nil
  end
  return require('remask.ghost').remainder(item)
end

---Draw what is left.
---@return boolean whether anything is
local function draw()
  hide()
  local rest = left()
  local is_idle = vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' and not menu.visible()
  if not rest or rest == '' or not is_idle then
    return false
  end
  local lines = vim.split(rest, '\n', { plain = true })
  local below = {}
  for index = 2, #lines do
    table.insert(below, { { lines[index], 'RemaskGhost' } })
  end
  local row, before = cursor_line()
  vim.api.nvim_buf_set_extmark(0, namespace, row, #before, {
    virt_text = { { lines[1], 'RemaskGhost' } },
    virt_text_pos = 'inline',
    virt_lines = #below > 0 and below or nil,
  })
  events.shown(current.items[current.index])
  return true
end

---@param result any
---@param encoding string
---@param client_id integer
local function take_reply(result, encoding, client_id)
  local row, before, after = cursor_line()
  local items = {} ---@type remask.GhostItem[]
  for _, item in ipairs(result.items or result) do
    local column = #before
    if item.range then
      local line = before .. after
      column = vim.str_byteindex(line, encoding, item.range.start.character, false)
    end
    table.insert(items, {
      row = row,
      column = column,
      text = item.insertText,
      lsp = item,
      client_id = client_id,
    })
  end
  if #items > 0 then
    current = {
      bufnr = vim.api.nvim_get_current_buf(),
      items = items,
      index = 1,
      before = before:sub(1, items[1].column),
      after = after,
    }
    draw()
  end
end

---Ask the server; what was asked before is given up.
---@param kind integer
local function ask(kind)
  drop()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = require('remask.client').find(bufnr)
  if not client or menu.visible() then
    return
  end
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  ---@diagnostic disable-next-line: inject-field
  params.context = { triggerKind = kind }
  local this = { client = client }
  asked = this
  local _, id = client:request(METHOD, params, function(fault, result)
    if asked ~= this then
      return
    end
    asked = nil
    local has_moved = vim.api.nvim_get_current_buf() ~= bufnr
      or vim.api.nvim_buf_get_changedtick(bufnr) ~= tick
      or not vim.deep_equal(vim.api.nvim_win_get_cursor(0), cursor)
    if fault or not result or result == vim.NIL or has_moved then
      return
    end
    take_reply(result, client.offset_encoding, client.id)
  end, bufnr)
  this.id = id
end

function M.attach(client, bufnr)
  if not client.server_capabilities.inlineCompletionProvider then
    return
  end
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  vim.api.nvim_create_autocmd('TextChangedI', {
    group = group,
    buffer = bufnr,
    callback = function()
      if not draw() then
        ask(AUTOMATIC)
      end
    end,
  })
  vim.api.nvim_create_autocmd('CursorMovedI', {
    group = group,
    buffer = bufnr,
    callback = function()
      if current and not draw() then
        drop()
      end
    end,
  })
  vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave', 'WinLeave' }, {
    group = group,
    buffer = bufnr,
    callback = drop,
  })
end

function M.visible()
  return not menu.visible()
    and #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

function M.item()
  return current and current.items[current.index]
end

function M.resume()
  if not draw() then
    ask(AUTOMATIC)
  end
end

function M.take(use)
  if not M.visible() then
    return false
  end
  -- Text can't change while an <expr> mapping is being read.
  vim.schedule(function()
    if current and left() then
      use(current.items[current.index])
      draw()
    end
  end)
  return true
end

function M.dismiss()
  local was_visible = M.visible()
  drop()
  return was_visible
end

function M.next()
  if current then
    current.index = current.index % #current.items + 1
    draw()
  end
end

function M.trigger()
  ask(INVOKED)
end

return M
