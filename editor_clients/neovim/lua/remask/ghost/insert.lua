---Putting accepted text in: as pasted, so that it goes in as it stands, in a step of undo of its own,
---and the dot command repeats it. A macro that is being recorded gets it as a command of its own.
local edit = require('remask.edit')

local M = {}

local COMMAND = vim.api.nvim_replace_termcodes('<Cmd>', true, false, true)
local HERE = "require('remask.ghost.insert').put"
---What `getchar(1)` says of any key that is no character.
local SPECIAL_KEY = 0x80

---Insert a text at the cursor, which ends behind it.
---@param text string
function M.put(text)
  -- Behind a line's end ('virtualedit') blanks would be put in between.
  vim.fn.winrestview({ coladd = 0 })
  edit.break_undo()
  vim.api.nvim_paste(text, false, -1)
  edit.break_undo()
end

---Insert an accepted text, then go on.
---@param text string
---@param go_on fun()
function M.accept(text, go_on)
  if vim.fn.reg_recording() == '' then
    M.put(text)
    return go_on()
  end
  -- Only typed keys are recorded; what the accepting key did is not, for the ghost text will be
  -- another when the macro runs.
  local call = ('%slua %s(vim.json.decode([==[%s]==]))\r'):format(
    COMMAND,
    HERE,
    vim.json.encode(text)
  )
  vim.api.nvim_feedkeys(call, 'nt', true)
  vim.schedule(go_on)
end

---Whether a macro runs in which ghost text was accepted here, whose text comes next: then the
---accepting key, which was recorded too, has nothing to do.
---@return boolean
function M.comes_by_itself()
  local register = vim.fn.reg_executing()
  local recorded = register ~= '' and vim.fn.getreg(register) or ''
  if not recorded:find(HERE, 1, true) or vim.fn.getchar(1) ~= SPECIAL_KEY then
    return false
  end
  local key = vim.fn.getcharstr(0)
  vim.api.nvim_feedkeys(key, 'in', false)
  return key == COMMAND
end

return M
