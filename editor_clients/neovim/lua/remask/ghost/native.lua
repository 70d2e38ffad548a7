---Ghost text through `vim.lsp.inline_completion`, Neovim 0.12.
local events = require('remask.ghost.events')
local menu = require('remask.menu')

---@type remask.GhostBackend
local M = {} ---@diagnostic disable-line: missing-fields

local METHOD = 'textDocument/inlineCompletion'
local namespace = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
local group = vim.api.nvim_create_augroup('remask.ghost', {})

---The last reply of the server's, which Neovim keeps to itself.
---@type {bufnr: integer, items: remask.GhostItem[], index: integer}?
local current

---@param item table as the server sent it
---@param client vim.lsp.Client
---@param bufnr integer
---@return remask.GhostItem
local function read(item, client, bufnr)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  row = row - 1
  if item.range then
    row = item.range.start.line
    local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
    column = vim.str_byteindex(line, client.offset_encoding, item.range.start.character, false)
  end
  local text = item.insertText
  return { row = row, column = column, text = text, lsp = item, client_id = client.id }
end

local function tell_shown()
  if current and M.visible() then
    events.shown(current.items[current.index])
  end
end

---@type table<vim.lsp.Client, true>
local observed = setmetatable({}, { __mode = 'k' })

---Look at the replies that Neovim asks for; beside a menu none is wanted.
---@param client vim.lsp.Client
local function observe(client)
  if observed[client] then
    return
  end
  observed[client] = true
  local request = client.request
  ---@diagnostic disable-next-line: duplicate-set-field
  function client:request(method, params, handler, bufnr)
    -- Without a colon, as it was called before Neovim 0.11, `self` is something else.
    if self ~= client or method ~= METHOD or not handler then
      return request(self, method, params, handler, bufnr)
    end
    return request(client, method, params, function(fault, result, context)
      local is_wanted = result and result ~= vim.NIL and not menu.visible()
      handler(fault, is_wanted and result or nil, context)
      local replied = context.bufnr
      if is_wanted and replied == vim.api.nvim_get_current_buf() then
        local items = vim.tbl_map(function(item)
          return read(item, client, replied)
        end, result.items or result)
        current = #items > 0 and { bufnr = replied, items = items, index = 1 } or nil
        tell_shown()
      end
    end, bufnr)
  end
end

function M.attach(client, bufnr)
  if not client:supports_method(METHOD, bufnr) then
    return
  end
  observe(client)
  vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  vim.api.nvim_create_autocmd({ 'BufLeave', 'WinLeave' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      M.dismiss()
    end,
  })
end

function M.visible()
  return not menu.visible()
    and #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

function M.item()
  local is_here = current and current.bufnr == vim.api.nvim_get_current_buf()
  return is_here and current.items[current.index] or nil
end

function M.take(use)
  if not M.visible() then
    return false
  end
  return vim.lsp.inline_completion.get({
    -- Neovim 0.12 would put the whole text before what was typed since.
    on_accept = function(accepted)
      for _, item in ipairs(M.item() and current.items or {}) do
        if item.text == accepted.insert_text and item.client_id == accepted.client_id then
          return use(item)
        end
      end
      return accepted -- Another server's.
    end,
  })
end

function M.dismiss()
  local was_visible = M.visible()
  vim.lsp.inline_completion.get({
    on_accept = function() end,
  })
  return was_visible
end

function M.next()
  vim.lsp.inline_completion.select({ count = 1 })
  if current then
    current.index = current.index % #current.items + 1
    tell_shown()
  end
end

function M.trigger()
  -- What makes Neovim ask by itself; it has no other way.
  vim.api.nvim_exec_autocmds('CursorMovedI', { buffer = vim.api.nvim_get_current_buf() })
end

function M.resume()
  if not M.visible() then
    M.trigger()
  end
end

return M
