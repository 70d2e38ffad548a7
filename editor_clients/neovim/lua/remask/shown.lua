---What the model was shown at the last request of a buffer, in a window of its own.
local client = require('remask.client')
local protocol = require('remask.protocol')
local status = require('remask.status')

local M = {}

---Ask the server, and show it in a scratch buffer that `q` closes.
function M.show()
  local bufnr = vim.api.nvim_get_current_buf()
  client.with(bufnr, function(server)
    ---@type remask.ShownParams
    local params = { uri = vim.uri_from_bufnr(bufnr) }
    server:request(protocol.SHOWN, params, function(fault, result)
      if fault then
        return -- The server has said why.
      end
      if not result or result == vim.NIL then
        return status.say('nothing was asked of the model in this file yet')
      end
      local shown = vim.api.nvim_create_buf(false, true)
      vim.api.nvim_buf_set_lines(shown, 0, -1, false, vim.split(result.text, '\n'))
      vim.bo[shown].bufhidden = 'wipe'
      vim.bo[shown].modifiable = false
      vim.cmd.sbuffer(shown)
      vim.keymap.set('n', 'q', '<C-w>c', { buffer = shown, nowait = true })
    end, bufnr)
  end)
end

return M
