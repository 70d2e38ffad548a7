---Next edits: after a change, the places that no longer fit are marked. One key jumps to the nearest
---and, there, accepts it; another takes them all, another turns them down.
local client = require('remask.client')
local config = require('remask.config')
local edit = require('remask.edit')
local protocol = require('remask.protocol')
local status = require('remask.status')

local M = {}

local namespace = vim.api.nvim_create_namespace('remask.next_edit')
local group = vim.api.nvim_create_augroup('remask.next_edit', { clear = true })

---@class remask.NextEditOffer
---@field source integer what was changed; mostly the same buffer
---@field bufnr integer
---@field tick integer the buffer's changes when it was made
---@field client_id integer
---@field encoding string
---@field edits remask.NextEdit[]

---@type remask.NextEditOffer?
local offer
---@type {client: vim.lsp.Client, id: integer?}?
local asked
local timer = assert(vim.uv.new_timer())
---Whether a buffer is left on the way to a place.
local is_jumping = false

local function define_highlights()
  vim.api.nvim_set_hl(0, 'RemaskNextEditOld', { link = 'DiffDelete', default = true })
  vim.api.nvim_set_hl(0, 'RemaskNextEditNew', { link = 'DiffAdd', default = true })
end

---@param bufnr integer
---@param position remask.Position
---@param encoding string
---@return integer row, integer column in bytes, both from 0
local function place(bufnr, position, encoding)
  local row = position.line
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  return row, vim.str_byteindex(line, encoding, position.character, false)
end

---Take away what is shown, and forget what is on its way.
function M.clear()
  timer:stop()
  if asked and asked.id then
    asked.client:cancel_request(asked.id)
  end
  asked = nil
  if offer and vim.api.nvim_buf_is_valid(offer.bufnr) then
    vim.api.nvim_buf_clear_namespace(offer.bufnr, namespace, 0, -1)
  end
  offer = nil
end

local function draw()
  if not offer then
    return
  end
  define_highlights()
  for _, one in ipairs(offer.edits) do
    local row, column = place(offer.bufnr, one.range.start, offer.encoding)
    local end_row, end_column = place(offer.bufnr, one.range['end'], offer.encoding)
    vim.api.nvim_buf_set_extmark(offer.bufnr, namespace, row, column, {
      end_row = end_row,
      end_col = end_column,
      hl_group = 'RemaskNextEditOld',
      sign_text = '»',
      sign_hl_group = 'RemaskNextEditNew',
    })
    vim.api.nvim_buf_set_extmark(offer.bufnr, namespace, end_row, end_column, {
      virt_text = { { one.text, 'RemaskNextEditNew' } },
      virt_text_pos = 'inline',
    })
  end
end

---Ask what follows from the last change of a buffer.
---@param bufnr integer
local function ask(bufnr)
  local server = client.find(bufnr)
  if not server or vim.api.nvim_get_current_buf() ~= bufnr then
    return
  end
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  local encoding = server.offset_encoding
  local position = vim.lsp.util.make_position_params(0, encoding).position
  ---@type remask.NextEditParams
  local params = {
    uri = vim.uri_from_bufnr(bufnr),
    version = vim.lsp.util.buf_versions[bufnr],
    position = position,
  }
  local this = { client = server }
  asked = this
  local _, id = server:request(protocol.NEXT_EDIT, params, function(fault, result)
    if asked ~= this then
      return
    end
    asked = nil
    local is_current = vim.api.nvim_buf_is_valid(bufnr)
      and vim.api.nvim_buf_get_changedtick(bufnr) == tick
    if fault or not result or result == vim.NIL or not is_current then
      return
    end
    local is_other = result.uri and result.uri ~= ''
    local there = is_other and vim.uri_to_bufnr(result.uri) or bufnr
    local is_there = vim.api.nvim_buf_is_loaded(there)
      and vim.lsp.util.buf_versions[there] == result.version
    if not is_there then
      return
    end
    offer = {
      source = bufnr,
      bufnr = there,
      tick = vim.api.nvim_buf_get_changedtick(there),
      client_id = server.id,
      encoding = encoding,
      edits = result.edits,
    }
    draw()
  end, bufnr)
  this.id = id
end

---@param bufnr integer
function M.attach(bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  if not config.get('next_edit') then
    return
  end
  vim.api.nvim_create_autocmd({ 'TextChanged', 'TextChangedI', 'TextChangedP' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      M.clear()
      timer:start(config.get('next_edit_wait'), 0, function()
        vim.schedule(function()
          ask(bufnr)
        end)
      end)
    end,
  })
  vim.api.nvim_create_autocmd({ 'BufLeave', 'BufUnload' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      if not is_jumping then
        M.clear()
      end
    end,
  })
end

---Return the offer of this buffer, if it still holds and nothing else wants the keys.
---@return remask.NextEditOffer?
local function current()
  local bufnr = vim.api.nvim_get_current_buf()
  if not offer or (offer.bufnr ~= bufnr and offer.source ~= bufnr) then
    return nil
  end
  local is_stale = vim.api.nvim_buf_get_changedtick(offer.bufnr) ~= offer.tick
  if is_stale or vim.fn.pumvisible() == 1 then
    return nil
  end
  local is_insert = vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
  if is_insert and require('remask').visible() then
    return nil
  end
  if vim.snippet and vim.snippet.active() then
    return nil
  end
  return offer
end

---Whether there is a next edit, for a mapping to know.
---@return boolean
function M.visible()
  return current() ~= nil
end

---Return the edit that the cursor is at.
---@param from remask.NextEditOffer
---@return remask.NextEdit?
local function at_cursor(from)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  if vim.api.nvim_get_current_buf() ~= from.bufnr then
    return nil
  end
  for _, one in ipairs(from.edits) do
    local first_row, first = place(from.bufnr, one.range.start, from.encoding)
    local last_row, last = place(from.bufnr, one.range['end'], from.encoding)
    if first_row == row - 1 and last_row == row - 1 and first <= column and column <= last then
      return one
    end
  end
end

---Make edits as one step of undo.
---@param from remask.NextEditOffer
---@param edits remask.NextEdit[]
local function apply(from, edits)
  local obstacle = edit.obstacle(from.bufnr)
  if obstacle then
    return status.say(obstacle, vim.log.levels.WARN)
  end
  local changes = vim.tbl_map(function(one)
    return { range = one.range, newText = one.text }
  end, edits)
  M.clear()
  vim.api.nvim_buf_call(from.bufnr, edit.break_undo)
  vim.lsp.util.apply_text_edits(changes, from.bufnr, from.encoding)
  vim.api.nvim_buf_call(from.bufnr, edit.break_undo)
end

---Jump to the nearest place; where the cursor is at one, accept that. Returns false where there is
---none, for a mapping to do something else; works in `<expr>` mappings.
---@return boolean
function M.jump_or_accept()
  local from = current()
  if not from then
    return false
  end
  -- Text can't change while an <expr> mapping is being read.
  vim.schedule(function()
    if offer ~= from then
      return
    end
    local here = at_cursor(from)
    if here then
      return apply(from, { here })
    end
    local row, column = place(from.bufnr, from.edits[1].range.start, from.encoding)
    vim.cmd("normal! m'")
    is_jumping = true
    vim.api.nvim_set_current_buf(from.bufnr)
    is_jumping = false
    vim.api.nvim_win_set_cursor(0, { row + 1, column })
  end)
  return true
end

---Accept all places, as one step of undo.
---@return boolean whether there were any
function M.accept_all()
  local from = current()
  if from then
    vim.schedule(function()
      if offer == from then
        apply(from, from.edits)
      end
    end)
  end
  return from ~= nil
end

---Turn the offer down: it does not come again after the same change.
---@return boolean whether there was one
function M.dismiss()
  local from = current()
  if not from then
    return false
  end
  local server = vim.lsp.get_client_by_id(from.client_id)
  if server then
    server:notify(protocol.DISMISS_NEXT_EDIT, { uri = vim.uri_from_bufnr(from.source) })
  end
  vim.schedule(M.clear)
  return true
end

---How many places are offered, for a statusline.
---@return integer
function M.count()
  return offer and #offer.edits or 0
end

return M
