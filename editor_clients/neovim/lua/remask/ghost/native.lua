---Ghost text through `vim.lsp.inline_completion`, Neovim 0.12.
---@type remask.GhostBackend
local M = {} ---@diagnostic disable-line: missing-fields

local namespace = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')

function M.attach(client, bufnr)
  if client:supports_method('textDocument/inlineCompletion', bufnr) then
    vim.lsp.inline_completion.enable(true, { bufnr = bufnr })
  end
end

function M.visible()
  return #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

function M.take(use)
  if not M.visible() then
    return false
  end
  return vim.lsp.inline_completion.get({
    -- Neovim 0.12 would put the whole text before what was typed since.
    on_accept = function(item)
      local row, column
      if item.range then
        row, column = item.range:to_extmark()
      else
        row, column = unpack(vim.api.nvim_win_get_cursor(0))
        row = row - 1
      end
      use({
        row = row,
        column = column,
        text = item.insert_text,
        command = item.command,
        client_id = item.client_id,
      })
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
end

function M.trigger()
  -- What makes Neovim ask by itself; it has no other way.
  vim.api.nvim_exec_autocmds('CursorMovedI', { buffer = vim.api.nvim_get_current_buf() })
end

return M
