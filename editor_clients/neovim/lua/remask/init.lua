---Remask: diffusion language models in the editor. The functions users map; the rest is loaded when
---needed. Every decision about text is the server's, the plugin shows and requests.
local M = {}

---@class remask.Request
---@field mode? remask.Mode
---@field ranges? remask.Range[] none takes the cursor, for holes the whole document
---@field instruction? string
---@field scope? remask.Scope
---@field lines? remask.Lines
---@field another? boolean than the same request got before
---@field strength? number
---@field model? string
---@field sampler? string
---@field seed? integer
---@field review? boolean instead of `vim.g.remask.review`
---@field bufnr? integer

---Fill, and apply or show the result.
---@param request? remask.Request
function M.infill(request)
  require('remask.request').start(vim.tbl_extend('keep', request or {}, { mode = 'infill' }))
end

---Fill every hole marker of the document.
---@param request? remask.Request
function M.holes(request)
  require('remask.request').start(vim.tbl_extend('force', request or {}, { mode = 'holes' }))
end

---Give up what is running in this buffer. Returns whether something was.
---@return boolean
function M.cancel()
  return require('remask.request').cancel(vim.api.nvim_get_current_buf())
end

---Whether ghost text is shown.
---@return boolean
function M.visible()
  return require('remask.ghost').backend().visible()
end

---Accept the ghost text. Returns false where there is none, for a mapping to do something else;
---the text arrives a moment later, so this works in `<expr>` mappings.
---@return boolean
function M.accept()
  return require('remask.ghost').accept('all')
end

---Accept the next word of the ghost text.
---@return boolean
function M.accept_word()
  return require('remask.ghost').accept('word')
end

---Accept the next line of the ghost text.
---@return boolean
function M.accept_line()
  return require('remask.ghost').accept('line')
end

---Take the ghost text away.
---@return boolean
function M.dismiss()
  return require('remask.ghost').backend().dismiss()
end

---Show the next alternative.
function M.next()
  require('remask.ghost').backend().next()
end

---Ask for ghost text now, wherever the cursor is.
function M.trigger()
  require('remask.ghost').trigger()
end

---Jump to the next edit, or accept it where the cursor is at one. Returns false where there is none,
---for a mapping to do something else; works in `<expr>` mappings.
---@return boolean
function M.next_edit()
  return require('remask.next_edit').jump_or_accept()
end

---Accept all places of the next edit.
---@return boolean
function M.next_edit_all()
  return require('remask.next_edit').accept_all()
end

---Turn the next edit down.
---@return boolean
function M.next_edit_dismiss()
  return require('remask.next_edit').dismiss()
end

---A short text for a statusline: model, speed, whether it works, what is wrong.
---@return string
function M.statusline()
  return require('remask.status').line()
end

return M
