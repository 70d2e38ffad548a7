---One request: asked by resolving a code action, so that the edit comes here before it is applied,
---and is dropped where the buffer has moved on meanwhile.
local client = require('remask.client')
local config = require('remask.config')
local edit = require('remask.edit')
local protocol = require('remask.protocol')
local status = require('remask.status')
local window = require('remask.window')

local M = {}

---@class remask.Running
---@field client vim.lsp.Client
---@field id? integer

---@type table<integer, remask.Running> by buffer
local running = {}

---@class remask.Result
---@field bufnr integer
---@field changedtick integer the buffer's when it was asked for
---@field edit lsp.WorkspaceEdit
---@field encoding string
---@field request remask.Request

---@param bufnr integer
---@param cursor [integer, integer]
---@param encoding string
---@return remask.Range
local function here(bufnr, cursor, encoding)
  local row, column = unpack(cursor)
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
  -- Normal mode can't stand behind a line's last blank, where code is to go.
  if not line:find('%S', column + 1) then
    column = #line
  end
  return M.range(bufnr, { row, column }, { row, column }, encoding)
end

---Return a range of a buffer, from places in bytes (0-based, the end excluded).
---@param bufnr integer
---@param from [integer, integer]
---@param to [integer, integer]
---@param encoding string
---@return remask.Range
function M.range(bufnr, from, to, encoding)
  local function position(place)
    local line = vim.api.nvim_buf_get_lines(bufnr, place[1], place[1] + 1, false)[1] or ''
    local column = math.min(place[2], #line)
    return { line = place[1], character = vim.str_utfindex(line, encoding, column) }
  end
  return { start = position(from), ['end'] = position(to) }
end

---Ask the server.
---@param request remask.Request `ranges` may be a function of the encoding
function M.start(request)
  local bufnr = request.bufnr or vim.api.nvim_get_current_buf()
  if bufnr == 0 then
    bufnr = vim.api.nvim_get_current_buf()
  end
  local obstacle = edit.obstacle(bufnr)
  if obstacle then
    return status.say(obstacle, vim.log.levels.WARN)
  end
  -- Now: until a server has started, the user may be somewhere else.
  local cursor = window.cursor(bufnr)
  client.with(bufnr, function(server)
    M.cancel(bufnr)
    local encoding = server.offset_encoding
    local ranges = request.ranges
    if type(ranges) == 'function' then
      ranges = ranges(encoding)
    elseif not ranges and request.mode ~= 'holes' then
      ranges = { here(bufnr, cursor, encoding) }
    end
    ---@type remask.InfillParams
    local params = {
      uri = vim.uri_from_bufnr(bufnr),
      version = vim.lsp.util.buf_versions[bufnr],
      ranges = ranges,
      mode = request.mode,
      scope = request.scope,
      instruction = request.instruction,
      lines = request.lines,
      another = request.another,
      strength = request.strength,
      model = request.model,
      sampler = request.sampler,
      seed = request.seed,
    }
    local asked = vim.tbl_extend('force', request, { ranges = ranges, bufnr = bufnr })
    local tick = vim.api.nvim_buf_get_changedtick(bufnr)
    local action = { title = 'Remask', kind = protocol.KIND .. '.' .. request.mode, data = params }
    local this = { client = server } ---@type remask.Running
    running[bufnr] = this
    local _, id = server:request('codeAction/resolve', action, function(fault, resolved)
      if running[bufnr] ~= this then
        return
      end
      running[bufnr] = nil
      if fault or not (resolved and resolved.edit) then
        return -- The server has said why.
      end
      M.finish({
        bufnr = bufnr,
        changedtick = tick,
        edit = resolved.edit,
        encoding = encoding,
        request = asked,
      })
    end, bufnr)
    this.id = id
  end)
end

---Return whether a result is shown before it is applied: the user says so, or the server.
---@param result remask.Result
---@return boolean
local function wants_review(result)
  local asked = result.request.review
  if asked == nil then
    return config.get('review') or edit.needs_review(result.edit)
  end
  return asked
end

---Apply a result, or show it for review.
---@param result remask.Result
function M.finish(result)
  if not vim.api.nvim_buf_is_loaded(result.bufnr) then
    return
  end
  if vim.api.nvim_buf_get_changedtick(result.bufnr) ~= result.changedtick then
    status.say('the text changed meanwhile, the result is dropped')
  elseif edit.is_empty(result.edit) then
    status.say('nothing to suggest')
  elseif wants_review(result) then
    require('remask.review').show(result)
  else
    edit.apply(result)
  end
end

---Give up what runs in a buffer.
---@param bufnr integer
---@return boolean whether something ran
function M.cancel(bufnr)
  local this = running[bufnr]
  running[bufnr] = nil
  if this and this.id then
    this.client:cancel_request(this.id)
  end
  return this ~= nil
end

---Forget what a dead server was asked.
---@param client_id integer
function M.forget(client_id)
  for bufnr, this in pairs(running) do
    if this.client.id == client_id then
      running[bufnr] = nil
      status.say('the server died, nothing came back', vim.log.levels.WARN)
    end
  end
end

return M
