---The completion menu, whoever draws it: while it shows, ghost text doesn't, and its keys are its own.
local M = {}

local group = vim.api.nvim_create_augroup('remask.menu', {})

---Whether a plugin's menu shows, by the plugin's module; asked only where that is loaded.
---@type table<string, fun(module: table): boolean>
local MODULES = {
  ['blink.cmp'] = function(blink)
    return (blink.is_menu_visible or blink.is_visible)()
  end,
  cmp = function(cmp)
    return cmp.visible()
  end,
}
---The same of plugins in Vim script: functions that exist once the plugin is loaded.
local FUNCTIONS = { 'coc#pum#visible', 'pum#visible' }

---Whether a menu shows: Neovim's own, which mini.completion and others use, or a plugin's.
---@return boolean
function M.visible()
  if vim.fn.pumvisible() == 1 then
    return true
  end
  for name, is_visible in pairs(MODULES) do
    local module = package.loaded[name]
    -- Plugins change; one that has another interface by now must not break typing.
    local is_fine, answer = pcall(is_visible, module)
    if module and is_fine and answer then
      return true
    end
  end
  for _, name in ipairs(FUNCTIONS) do
    local answer = vim.fn.exists('*' .. name) == 1 and vim.fn[name]()
    if answer and answer ~= 0 then
      return true
    end
  end
  return false
end

---Be told when a menu opens in Insert mode, and when it is gone.
---@param on_open fun()
---@param on_close fun()
function M.watch(on_open, on_close)
  local was_visible = false
  local function look()
    local is_visible = vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' and M.visible()
    if is_visible ~= was_visible then
      was_visible = is_visible
      local tell = is_visible and on_open or on_close
      tell()
    end
  end
  vim.api.nvim_clear_autocmds({ group = group })
  -- Each time that Neovim waits for a key: some plugins have events of their own, others open their
  -- window without any. While its own menu shows, Neovim leaves this event out.
  vim.api.nvim_create_autocmd('SafeState', { group = group, callback = look })
  vim.api.nvim_create_autocmd(
    'CompleteChanged',
    { group = group, callback = vim.schedule_wrap(look) }
  )
end

return M
