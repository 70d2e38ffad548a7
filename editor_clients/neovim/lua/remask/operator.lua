---Operators: over a motion, a text object or a visual selection, to the character. Dot repeats.
local request = require('remask.request')

local M = {}

---@class remask.Operation
---@field mode remask.Mode
---@field instruction? string

---@type remask.Operation
local last = { mode = 'infill' }

---Return the end (excluded, in bytes) of the character at a place.
---@param bufnr integer
---@param place [integer, integer]
local function after(bufnr, place)
  local line = vim.api.nvim_buf_get_lines(bufnr, place[1], place[1] + 1, false)[1] or ''
  if place[2] >= #line then
    return { place[1], #line }
  end
  return { place[1], place[2] + 1 + vim.str_utf_end(line, place[2] + 1) }
end

---Return whole lines: from the first one's text, so that its indentation stays, to the last one's
---end, so that its line break stays.
---@param bufnr integer
---@param first integer 0-based
---@param last_line integer 0-based
---@param encoding string
---@return remask.Range[]
function M.lines(bufnr, first, last_line, encoding)
  local head = vim.api.nvim_buf_get_lines(bufnr, first, first + 1, false)[1] or ''
  local tail = vim.api.nvim_buf_get_lines(bufnr, last_line, last_line + 1, false)[1] or ''
  local column = #head:match('^%s*')
  return { request.range(bufnr, { first, column }, { last_line, #tail }, encoding) }
end

---Return the ranges between two marks.
---@param kind 'char'|'line'|'block'
---@param first string the name of a mark
---@param second string
---@return fun(encoding: string): remask.Range[]
function M.between(kind, first, second)
  local bufnr = vim.api.nvim_get_current_buf()
  local from, to = vim.fn.getpos(first), vim.fn.getpos(second)
  local places = {}
  if kind == 'block' then
    for _, pair in ipairs(vim.fn.getregionpos(from, to, { type = '\22', exclusive = false })) do
      table.insert(
        places,
        { { pair[1][2] - 1, pair[1][3] - 1 }, { pair[2][2] - 1, pair[2][3] - 1 } }
      )
    end
  else
    places = { { { from[2] - 1, from[3] - 1 }, { to[2] - 1, to[3] - 1 } } }
  end
  return function(encoding)
    if kind == 'line' then
      return M.lines(bufnr, from[2] - 1, to[2] - 1, encoding)
    end
    return vim.tbl_map(function(place)
      local stop = place[2]
      if not (vim.o.selection == 'exclusive' and first == "'<") then
        stop = after(bufnr, stop)
      end
      return request.range(bufnr, place[1], stop, encoding)
    end, places)
  end
end

---Begin an operator; for `<expr>` mappings.
---@param mode remask.Mode|'instruct' "instruct" asks what to do, then rewrites
---@param instruction? string
---@return string keys
function M.start(mode, instruction)
  if mode == 'instruct' then
    last = { mode = 'rewrite', instruction = false }
  else
    last = { mode = mode, instruction = instruction }
  end
  vim.o.operatorfunc = "v:lua.require'remask.operator'.run"
  return 'g@'
end

---What `operatorfunc` calls, at once and again at each dot.
---@param kind 'char'|'line'|'block'
function M.run(kind)
  local operation = last
  local ranges = M.between(kind, "'[", "']")
  local bufnr = vim.api.nvim_get_current_buf()
  local function go()
    request.start({
      bufnr = bufnr,
      mode = operation.mode,
      instruction = operation.instruction,
      ranges = ranges,
    })
  end
  if operation.instruction ~= false then
    return go()
  end
  vim.ui.input({ prompt = 'Remask: what is to be done? ' }, function(text)
    if text then
      operation.instruction = text
      go()
    end
  end)
end

return M
