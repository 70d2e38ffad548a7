---`:[range]Remask[!] [mode] [name=value …] [instruction]`, and its controls.
local config = require('remask.config')
local protocol = require('remask.protocol')
local status = require('remask.status')

local M = {}

local MODES = vim.tbl_values(protocol.COMMANDS)
table.sort(MODES)

---Words that stand alone.
---@type table<string, fun()>
local controls = {
  accept = function()
    require('remask.review').accept()
  end,
  reject = function()
    require('remask.review').reject()
  end,
  next = function()
    require('remask.review').next()
  end,
  cancel = function()
    if not require('remask').cancel() then
      status.say('nothing runs here')
    end
  end,
  status = function()
    status.say(status.line())
  end,
  shown = function()
    require('remask.shown').show()
  end,
}

---What may follow a mode as name=value, and what it may be.
local OPTIONS = {
  strength = { '0.2', '0.5', '0.8', '1' },
  scope = protocol.SCOPES,
  lines = protocol.LINES,
  model = {},
  sampler = {},
  seed = {},
}
local NUMBERS = { strength = true, seed = true }

---Read a command's words.
---@param words string[]
---@return remask.Request? request, string? fault
function M.parse(words)
  local request = { mode = 'infill' }
  local index = 1
  if vim.list_contains(MODES, words[1]) then
    request.mode = words[1]
    index = 2
  end
  while index <= #words do
    local name, value = words[index]:match('^(%l+)=(.*)$')
    if not (name and OPTIONS[name]) then
      break
    end
    request[name] = NUMBERS[name] and tonumber(value) or value
    if NUMBERS[name] and not tonumber(value) then
      return nil, ('%s must be a number, not %q'):format(name, value)
    end
    index = index + 1
  end
  local rest = table.concat(words, ' ', index)
  request.instruction = rest ~= '' and rest or nil
  return request
end

---Return what a command's range means: the visual selection to the character where it is one.
---@param arguments vim.api.keyset.create_user_command.command_args
local function ranges_of(arguments)
  local operator = require('remask.operator')
  local first, last = arguments.line1, arguments.line2
  local is_visual = first == vim.fn.line("'<") and last == vim.fn.line("'>")
  local kind = is_visual and ({ v = 'char', ['\22'] = 'block' })[vim.fn.visualmode()]
  if kind then
    return operator.between(kind, "'<", "'>")
  end
  local bufnr = vim.api.nvim_get_current_buf()
  return function(encoding)
    return operator.lines(bufnr, first - 1, last - 1, encoding)
  end
end

---@param arguments vim.api.keyset.create_user_command.command_args
function M.run(arguments)
  local words = arguments.fargs
  if #words == 1 and words[1] == 'scores' then
    return require('remask.scores').show(arguments.range > 0 and ranges_of(arguments) or nil)
  end
  if #words == 1 and controls[words[1]] then
    return controls[words[1]]()
  end
  local request, fault = M.parse(words)
  if not request then
    return status.say(fault, vim.log.levels.ERROR)
  end
  if arguments.range > 0 then
    request.ranges = ranges_of(arguments)
  end
  if arguments.bang then
    request.review = not config.get('review')
  end
  require('remask.request').start(request)
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local name = lead:match('^(%l+)=')
  local found = {}
  if name then
    found = vim.tbl_map(function(value)
      return name .. '=' .. value
    end, OPTIONS[name] or {})
  elseif line:match('Remask!?%s+%S*$') then
    found = vim.list_extend(vim.list_extend({}, MODES), vim.tbl_keys(controls))
    table.insert(found, 'scores')
  else
    found = vim.tbl_map(function(option)
      return option .. '='
    end, vim.tbl_keys(OPTIONS))
  end
  table.sort(found)
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, found)
end

return M
