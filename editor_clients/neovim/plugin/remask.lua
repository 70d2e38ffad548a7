if vim.g.loaded_remask then
  return
end
vim.g.loaded_remask = true

vim.api.nvim_create_user_command('Remask', function(arguments)
  require('remask.command').run(arguments)
end, {
  nargs = '*',
  range = true,
  bang = true,
  desc = 'Infill, rewrite or repair a range; fill holes',
  complete = function(lead, line)
    return require('remask.command').complete(lead, line)
  end,
})

---@param name string
---@param modes string|string[]
---@param run fun(): string?
---@param is_expression boolean
local function plug(name, modes, run, is_expression)
  local options = { expr = is_expression, desc = 'Remask: ' .. name }
  vim.keymap.set(modes, ('<Plug>(remask-%s)'):format(name), run, options)
end

for _, mode in ipairs({ 'infill', 'rewrite', 'repair', 'instruct' }) do
  plug(mode, { 'n', 'x' }, function()
    return require('remask.operator').start(mode)
  end, true)
end
plug('holes', 'n', function()
  require('remask').holes()
end, false)
for name, call in pairs({
  ['accept'] = 'accept',
  ['accept-word'] = 'accept_word',
  ['accept-line'] = 'accept_line',
  ['dismiss'] = 'dismiss',
  ['next'] = 'next',
  ['trigger'] = 'trigger',
}) do
  plug(name, 'i', function()
    require('remask')[call]()
  end, false)
end
for name, call in pairs({
  ['next-edit'] = 'next_edit',
  ['next-edit-all'] = 'next_edit_all',
  ['next-edit-dismiss'] = 'next_edit_dismiss',
}) do
  plug(name, { 'n', 'i' }, function()
    require('remask')[call]()
  end, false)
end
for _, verb in ipairs({ 'accept', 'reject', 'next' }) do
  plug('edit-' .. verb, 'n', function()
    require('remask.review')[verb]()
  end, false)
end

require('remask.draft').define_highlights()
vim.api.nvim_create_autocmd('ColorScheme', {
  group = vim.api.nvim_create_augroup('remask', {}),
  callback = function()
    require('remask.draft').define_highlights()
  end,
})
