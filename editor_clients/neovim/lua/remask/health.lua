---`:checkhealth remask`
local M = {}

local TIMEOUT_MS = 3000

local function check_neovim()
  vim.health.start('Remask: editor')
  if vim.fn.has('nvim-0.11') == 0 then
    return vim.health.error('Neovim 0.11 or later is needed')
  end
  local has_native = vim.lsp.inline_completion ~= nil
  vim.health.ok(('Neovim %s'):format(tostring(vim.version())))
  vim.health.info('Ghost text: ' .. (has_native and "Neovim's own" or "the plugin's"))
  local config = require('remask.config')
  local n_faults = 0
  for name, value in pairs(vim.g.remask or {}) do
    local problem = config.problem(name, value)
    if problem then
      vim.health.error(problem)
      n_faults = n_faults + 1
    end
  end
  if n_faults == 0 then
    vim.health.ok('Settings in vim.g.remask: fine')
  end
end

---@return boolean
local function check_command()
  vim.health.start('Remask: server')
  local command = vim.lsp.config.remask.cmd
  if type(command) ~= 'table' then
    vim.health.info('The server is started by a function of yours')
    return true
  end
  if vim.startswith(command[1], '~') then
    vim.health.error(("'%s' is taken as it stands"):format(command[1]), {
      ("Expand it: vim.lsp.config('remask', { cmd = { vim.fn.expand('%s'), 'lsp' } })"):format(
        command[1]
      ),
    })
    return false
  end
  if vim.fn.executable(command[1]) == 0 then
    vim.health.error(("'%s' is not to be found"):format(command[1]), {
      "Install it, as Remask's README says",
      "Or say where it is: vim.lsp.config('remask', { cmd = { '/path/to/remask', 'lsp' } })",
    })
    return false
  end
  local version = vim.system({ command[1], '--version' }, { text = true }):wait(TIMEOUT_MS)
  vim.health.ok(vim.trim(version.stdout or ''))
  return true
end

local function check_client()
  local client = vim.lsp.get_clients({ name = 'remask' })[1]
  if not client then
    vim.health.warn('No buffer has a server', {
      "Put vim.lsp.enable('remask') into your configuration",
      ':Remask starts one where there is none',
    })
    return
  end
  local method = require('remask.protocol').STATUS
  local reply, fault = client:request_sync(method, vim.empty_dict(), TIMEOUT_MS, 0)
  if not reply or reply.err then
    return vim.health.error('The server does not answer: ' .. (fault or reply.err.message))
  end
  local status = reply.result ---@type remask.StatusResult
  vim.health.ok('The server answers, encoding ' .. client.offset_encoding)
  vim.health.start('Remask: model')
  vim.health.info('Runtime: ' .. status.state)
  if status.model ~= '' then
    vim.health.ok(('Model: %s on %s'):format(status.model, status.device))
  else
    vim.health.info('No model is loaded; the first request loads it')
  end
  if status.text ~= '' then
    vim.health.info('Last: ' .. status.text)
  end
  for _, problem in ipairs(status.problems) do
    vim.health.warn(problem)
  end
end

function M.check()
  check_neovim()
  if check_command() then
    check_client()
  end
end

return M
