---A result shown as a diff in the buffer, which stays as it is until the result is accepted.
local edit = require('remask.edit')
local status = require('remask.status')

local M = {}

local namespace = vim.api.nvim_create_namespace('remask.review')

---@type table<integer, remask.Result> by buffer
local shown = {}

---Return a buffer's lines as they would be.
---@param result remask.Result
---@return string[]
local function lines_after(result)
  local scratch = vim.api.nvim_create_buf(false, true)
  local lines = vim.api.nvim_buf_get_lines(result.bufnr, 0, -1, false)
  vim.api.nvim_buf_set_lines(scratch, 0, -1, false, lines)
  local edits = vim.deepcopy(edit.text_edits(result.edit))
  vim.lsp.util.apply_text_edits(edits, scratch, result.encoding)
  lines = vim.api.nvim_buf_get_lines(scratch, 0, -1, false)
  vim.api.nvim_buf_delete(scratch, { force = true })
  return lines
end

---@param lines string[]
local function joined(lines)
  return table.concat(lines, '\n') .. '\n'
end

---@param result remask.Result
local function draw(result)
  local bufnr = result.bufnr
  local before, new = vim.api.nvim_buf_get_lines(bufnr, 0, -1, false), lines_after(result)
  ---@type integer[][]
  local hunks = vim.diff(joined(before), joined(new), { result_type = 'indices' })
  for _, hunk in ipairs(hunks) do
    local start, n_old, new_start, n_new = unpack(hunk)
    for row = start - 1, start + n_old - 2 do
      vim.api.nvim_buf_set_extmark(bufnr, namespace, row, 0, { line_hl_group = 'RemaskRemoved' })
    end
    local added = {}
    for index = new_start, new_start + n_new - 1 do
      table.insert(added, { { new[index], 'RemaskAdded' } })
    end
    -- Without old lines, `start` is the line the new ones come after.
    local row = n_old > 0 and start + n_old - 2 or start - 1
    local options = { virt_lines = added, virt_lines_above = row < 0 }
    vim.api.nvim_buf_set_extmark(bufnr, namespace, math.max(row, 0), 0, options)
  end
end

---Show a result, in place of the one shown before.
---@param result remask.Result
function M.show(result)
  local bufnr = result.bufnr
  M.clear(bufnr)
  shown[bufnr] = result
  draw(result)
  vim.api.nvim_create_autocmd({ 'TextChanged', 'TextChangedI', 'BufUnload' }, {
    buffer = bufnr,
    callback = function()
      if shown[bufnr] ~= result then
        return true
      end
      if vim.api.nvim_buf_get_changedtick(bufnr) ~= result.changedtick then
        M.clear(bufnr)
        status.say('the text changed meanwhile, the result is dropped')
        return true
      end
    end,
  })
  status.say(':Remask accept, reject or next')
end

---@param bufnr integer
function M.clear(bufnr)
  shown[bufnr] = nil
  vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
end

---Return what is shown in the current buffer; say so where there is nothing.
---@return remask.Result?
local function current()
  local result = shown[vim.api.nvim_get_current_buf()]
  if not result then
    status.say('nothing to review here')
  end
  return result
end

---Return what is shown in the current buffer and take it away; what else was asked for is given up.
---@return remask.Result?
local function take()
  local result = current()
  if result then
    M.clear(result.bufnr)
    require('remask.request').cancel(result.bufnr)
  end
  return result
end

---Apply what is shown.
function M.accept()
  local result = take()
  if not result then
    return
  end
  if vim.api.nvim_buf_get_changedtick(result.bufnr) ~= result.changedtick then
    return status.say('the text changed meanwhile, the result is dropped')
  end
  edit.apply(result)
end

---Leave the buffer as it is.
function M.reject()
  if take() then
    vim.api.nvim_exec_autocmds('User', { pattern = 'RemaskRejected', modeline = false })
  end
end

---Ask for another result; this one stays until it comes.
function M.next()
  local result = current()
  if result then
    local again = { another = true, review = true }
    require('remask.request').start(vim.tbl_extend('force', result.request, again))
  end
end

return M
