---The heat map: how much the model doubts each token of a selection, drawn until the text changes.
local client = require('remask.client')
local protocol = require('remask.protocol')
local status = require('remask.status')

local M = {}

local namespace = vim.api.nvim_create_namespace('remask.scores')
local group = vim.api.nvim_create_augroup('remask.scores', { clear = true })

---From how many nats of doubt on a token is drawn in which highlight, the strongest first.
local LEVELS = { { 4, 'RemaskDoubt3' }, { 2, 'RemaskDoubt2' }, { 0.7, 'RemaskDoubt1' } }

local function define_highlights()
  for name, link in pairs({
    RemaskDoubt1 = 'DiagnosticVirtualTextHint',
    RemaskDoubt2 = 'DiagnosticVirtualTextWarn',
    RemaskDoubt3 = 'DiagnosticVirtualTextError',
  }) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
end

---@param doubt number
---@return string?
local function highlight_of(doubt)
  for _, level in ipairs(LEVELS) do
    if doubt >= level[1] then
      return level[2]
    end
  end
end

---@param bufnr integer
function M.clear(bufnr)
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
end

---@param bufnr integer
---@param result remask.ScoresResult
---@param encoding string
local function draw(bufnr, result, encoding)
  define_highlights()
  local function column(position)
    local line = vim.api.nvim_buf_get_lines(bufnr, position.line, position.line + 1, false)[1] or ''
    return vim.str_byteindex(line, encoding, position.character, false)
  end
  for _, token in ipairs(result.tokens or {}) do
    local highlight = highlight_of(token.doubt)
    local first, last = token.range.start, token.range['end']
    if highlight then
      vim.api.nvim_buf_set_extmark(bufnr, namespace, first.line, column(first), {
        end_row = last.line,
        end_col = column(last),
        hl_group = highlight,
        strict = false,
      })
    end
  end
  vim.api.nvim_create_autocmd({ 'TextChanged', 'TextChangedI' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      M.clear(bufnr)
    end,
  })
end

---Ask for the scores of a range and draw them; without a range, or a second time, clear them.
---@param ranges? fun(encoding: string): remask.Range[]
function M.show(ranges)
  local bufnr = vim.api.nvim_get_current_buf()
  M.clear(bufnr)
  if not ranges then
    return
  end
  client.with(bufnr, function(server)
    local encoding = server.offset_encoding
    ---@type remask.ScoresParams
    local params = {
      uri = vim.uri_from_bufnr(bufnr),
      range = ranges(encoding)[1],
      version = vim.lsp.util.buf_versions[bufnr],
    }
    server:request(protocol.SCORES, params, function(fault, result)
      if fault or not result then
        return -- The server has said why.
      end
      if result.version ~= vim.lsp.util.buf_versions[bufnr] then
        return status.say('the text changed meanwhile, the scores are dropped')
      end
      draw(bufnr, result, encoding)
    end, bufnr)
  end)
end

return M
