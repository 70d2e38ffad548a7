---Where the user is in a buffer: of the windows that show it, the one that he uses.
local M = {}

---Return the window that is meant where a buffer is: the current one, else the one used before it,
---else any, those of this tab page first. Nil where no window shows the buffer.
---@param bufnr integer
---@return integer?
function M.of(bufnr)
  local here = vim.api.nvim_tabpage_list_wins(0)
  local before = vim.fn.win_getid(vim.fn.winnr('#'))
  local candidates = { vim.api.nvim_get_current_win(), before }
  vim.list_extend(candidates, here)
  vim.list_extend(candidates, vim.api.nvim_list_wins())
  for _, window in ipairs(candidates) do
    if vim.api.nvim_win_is_valid(window) and vim.api.nvim_win_get_buf(window) == bufnr then
      return window
    end
  end
end

---Return the cursor's place in a buffer, both from 0, the column in bytes; where no window shows
---the buffer, its place when one last did.
---@param bufnr integer
---@return [integer, integer]
function M.cursor(bufnr)
  local window = M.of(bufnr)
  local place = window and vim.api.nvim_win_get_cursor(window)
    or vim.api.nvim_buf_get_mark(bufnr, '"')
  return { math.max(place[1] - 1, 0), place[2] }
end

return M
