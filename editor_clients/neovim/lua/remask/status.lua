---What the server last said of the model, for a statusline. Fires `User RemaskStatus`.
local M = {}

---@type remask.StatusResult
M.last = { state = 'stopped' }

---@param params remask.StatusResult
function M.update(params)
  M.last = params
  vim.api.nvim_exec_autocmds('User', { pattern = 'RemaskStatus', modeline = false, data = params })
  vim.cmd.redrawstatus()
end

---Return one line: what goes on, or why the last request gave nothing.
---@return string
function M.line()
  local last = M.last
  local words = { last.busy and 'remask …' or 'remask' }
  if last.state == 'starting' or last.state == 'failed' then
    table.insert(words, last.state)
  end
  for _, word in ipairs({ last.model, last.text, (last.problems or {})[1] }) do
    if word ~= '' then
      table.insert(words, word)
    end
  end
  local n_places = require('remask.next_edit').count()
  if n_places > 0 then
    table.insert(words, ('next edit: %d'):format(n_places))
  end
  local speed = last.tokensPerSecond
  if speed and speed ~= vim.NIL then
    table.insert(words, ('%.0f tok/s'):format(speed))
  end
  -- A statusline reads "%" as the start of an item.
  return (table.concat(words, ' · '):gsub('%%', '%%%%'))
end

---Tell the user something, the way they have chosen.
---@param text string
---@param level? integer
function M.say(text, level)
  vim.notify('Remask: ' .. text, level or vim.log.levels.INFO)
end

return M
