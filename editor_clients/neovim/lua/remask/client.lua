---The server of a buffer: found, started where there is none, and started again when it died.
local config = require('remask.config')
local status = require('remask.status')

local M = {}

local NAME = 'remask'
---What Neovim stops a server with that does not leave by itself.
local SIGTERM = 15
local FIRST_WAIT_MS = 500
local LONGEST_WAIT_MS = 30000
---A server that lived this long counts as well again.
local WELL_AFTER_S = 60

---@type table<integer, {client: vim.lsp.Client, buffers: table<integer, true>}>
local running = {}
local n_deaths = 0
local started_at = 0

---@param bufnr integer
---@return vim.lsp.Client?
function M.find(bufnr)
  for _, client in ipairs(vim.lsp.get_clients({ bufnr = bufnr, name = NAME })) do
    if not client:is_stopped() then
      return client
    end
  end
end

---Call back with the buffer's server; start one for a buffer that has none, scratch buffers included.
---@param bufnr integer
---@param callback fun(client: vim.lsp.Client)
function M.with(bufnr, callback)
  local client = M.find(bufnr)
  if client then
    return callback(client)
  end
  local waiting = vim.api.nvim_create_autocmd('LspAttach', {
    buffer = bufnr,
    callback = function(event)
      local found = vim.lsp.get_client_by_id(event.data.client_id)
      if found and found.name == NAME then
        vim.schedule_wrap(callback)(found)
        return true
      end
    end,
  })
  local settings = vim.lsp.config[NAME]
  local root = vim.fs.root(bufnr, settings.root_markers or {})
  settings = vim.tbl_extend('keep', { name = NAME, root_dir = root }, settings)
  local is_started, id = pcall(vim.lsp.start, settings, { bufnr = bufnr })
  if not (is_started and id) then
    vim.api.nvim_del_autocmd(waiting)
    status.say('the server does not start. See :checkhealth remask', vim.log.levels.ERROR)
  end
end

---Take note of a buffer that a server serves now.
---@param client vim.lsp.Client
---@param bufnr integer
function M.attached(client, bufnr)
  if not running[client.id] then
    running[client.id] = { client = client, buffers = {} }
    started_at = vim.uv.now()
  end
  running[client.id].buffers[bufnr] = true
  require('remask.ghost').attach(client, bufnr)
  require('remask.next_edit').attach(bufnr)
end

---Start a server that died again, for the buffers it had, a little later each time.
---@param code integer
---@param signal integer
---@param client_id integer
function M.exited(code, signal, client_id)
  local dead = running[client_id]
  running[client_id] = nil
  require('remask.draft').clear()
  require('remask.next_edit').clear()
  require('remask.request').forget(client_id)
  local was_stopped = (code == 0 and signal == 0) or signal == SIGTERM
  if not dead or was_stopped or vim.v.exiting ~= vim.NIL then
    return
  end
  n_deaths = vim.uv.now() - started_at > WELL_AFTER_S * 1000 and 1 or n_deaths + 1
  status.update({ state = 'failed', text = 'the server died' })
  if n_deaths > config.get('retries') then
    status.say('the server keeps dying. See :checkhealth remask', vim.log.levels.ERROR)
    return
  end
  local wait_ms = math.min(FIRST_WAIT_MS * 2 ^ (n_deaths - 1), LONGEST_WAIT_MS)
  vim.defer_fn(function()
    for bufnr in pairs(dead.buffers) do
      if vim.api.nvim_buf_is_loaded(bufnr) and not M.find(bufnr) then
        vim.lsp.start(dead.client.config, { bufnr = bufnr })
      end
    end
  end, wait_ms)
end

return M
