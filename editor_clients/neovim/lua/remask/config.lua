---The plugin's own settings, read from `vim.g.remask` whenever one is needed: no `setup()`.
---What the model does is a setting of the server, under `vim.lsp.config.remask.settings`.
local M = {}

---@class remask.Config
---@field ghost 'auto'|'native'|'own'|false ghost text: Neovim's own (0.12), the plugin's, or none
---@field drafts boolean show the denoising live
---@field review boolean show a result as a diff to accept or reject, instead of applying it
---@field next_edit boolean mark the places that no longer fit after a change
---@field next_edit_wait integer milliseconds without a change before the server is asked
---@field retries integer how often in a row a server that died is started again

---@type remask.Config
M.defaults = {
  ghost = 'auto',
  drafts = true,
  review = false,
  next_edit = true,
  next_edit_wait = 150,
  retries = 5,
}

local GHOSTS = { 'auto', 'native', 'own', false }

---Return the value of a setting; the default where the user's does not fit.
---@generic T
---@param name string
---@return T
function M.get(name)
  local chosen = (vim.g.remask or {})[name]
  if chosen == nil or M.problem(name, chosen) then
    return M.defaults[name]
  end
  return chosen
end

---Return what is wrong with a setting, or nil.
---@param name string
---@param value any
---@return string?
function M.problem(name, value)
  if M.defaults[name] == nil then
    local known = vim.tbl_keys(M.defaults)
    table.sort(known)
    return ('vim.g.remask.%s is no setting; known: %s'):format(name, table.concat(known, ', '))
  end
  if name == 'ghost' then
    if not vim.list_contains(GHOSTS, value) then
      return "vim.g.remask.ghost must be 'auto', 'native', 'own' or false"
    end
  elseif type(value) ~= type(M.defaults[name]) then
    return ('vim.g.remask.%s must be a %s'):format(name, type(M.defaults[name]))
  end
end

return M
