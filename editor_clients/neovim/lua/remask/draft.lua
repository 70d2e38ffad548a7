---The denoising, live: the unfinished canvas drawn over the text it is going to replace.
local config = require('remask.config')

local M = {}

local namespace = vim.api.nvim_create_namespace('remask.draft')

---The buffer of each request that is being drawn.
---@type table<string, integer>
local drawn = {}

function M.define_highlights()
  for group, link in pairs({
    RemaskMask = 'NonText',
    RemaskDraft = 'DiagnosticInfo',
    RemaskGhost = 'Comment',
    RemaskRemoved = 'DiffDelete',
    RemaskAdded = 'DiffAdd',
  }) do
    vim.api.nvim_set_hl(0, group, { link = link, default = true })
  end
end

---Return a piece of a draft as chunks, masked positions apart from settled text.
---@param text string
---@param mark string
---@return [string, string][]
local function chunks(text, mark)
  local found, from = {}, 1
  while from <= #text do
    local first, last = text:find(mark, from, true)
    if first == from then
      table.insert(found, { mark, 'RemaskMask' })
      from = last + 1
    else
      local stop = first and first - 1 or #text
      table.insert(found, { text:sub(from, stop), 'RemaskDraft' })
      from = stop + 1
    end
  end
  return found
end

---Return the first cells of a text, and the rest.
---@param text string
---@param n_cells integer
local function split_cells(text, n_cells)
  local n = 0
  local width = vim.fn.strdisplaywidth
  while n < vim.fn.strchars(text) and width(vim.fn.strcharpart(text, 0, n + 1)) <= n_cells do
    n = n + 1
  end
  return vim.fn.strcharpart(text, 0, n), vim.fn.strcharpart(text, n)
end

---Draw one line of a draft over one line's piece of old text.
---@param bufnr integer
---@param row integer
---@param from integer bytes
---@param to integer bytes
---@param text string
---@param mark string
---@param below [string, string][][] lines without a place of their own
local function draw_line(bufnr, row, from, to, text, mark, below)
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  local width = vim.fn.strdisplaywidth(line:sub(from + 1, to))
  local over, rest = split_cells(text, width)
  local covering = chunks(over, mark)
  table.insert(covering, { (' '):rep(width - vim.fn.strdisplaywidth(over)), 'RemaskDraft' })
  local place = vim.api.nvim_buf_set_extmark
  place(bufnr, namespace, row, from, { virt_text = covering, virt_text_pos = 'overlay' })
  if rest ~= '' then
    place(bufnr, namespace, row, to, { virt_text = chunks(rest, mark), virt_text_pos = 'inline' })
  end
  if #below > 0 then
    place(bufnr, namespace, row, to, { virt_lines = below })
  end
end

---@param bufnr integer
---@param span remask.DraftSpan
---@param mark string
---@param encoding string
local function draw_span(bufnr, span, mark, encoding)
  local first, last = span.range.start, span.range['end']
  local texts = vim.split(span.text, '\n', { plain = true })
  for row = first.line, last.line do
    local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1]
    if not line then
      return
    end
    local from, to = 0, #line
    if row == first.line then
      from = vim.str_byteindex(line, encoding, first.character, false)
    end
    if row == last.line then
      to = vim.str_byteindex(line, encoding, last.character, false)
    end
    local below = {}
    if row == last.line then
      for index = row - first.line + 2, #texts do
        table.insert(below, chunks(texts[index], mark))
      end
    end
    draw_line(bufnr, row, from, to, texts[row - first.line + 1] or '', mark, below)
  end
end

---Draw a canvas, or clear it at the request's end.
---@param params remask.DraftParams
---@param client_id integer
function M.show(params, client_id)
  local bufnr = vim.uri_to_bufnr(params.uri)
  if not vim.api.nvim_buf_is_loaded(bufnr) then
    return
  end
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  drawn[params.token] = not params.done and bufnr or nil
  local is_current = params.version == vim.lsp.util.buf_versions[bufnr]
  if params.done or not is_current or not config.get('drafts') then
    return
  end
  local client = assert(vim.lsp.get_client_by_id(client_id))
  for _, span in ipairs(params.spans) do
    draw_span(bufnr, span, params.mark, client.offset_encoding)
  end
end

---Clear everything: whoever drew it is gone.
function M.clear()
  for _, bufnr in pairs(drawn) do
    if vim.api.nvim_buf_is_valid(bufnr) then
      vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
    end
  end
  drawn = {}
end

return M
