-- A client of llama.cpp's endpoint that sends what llama.vim sends, by the same means (curl on a
-- job), and shows and accepts what comes back. Own writing: the test has no copy of the plugin.
local namespace = vim.api.nvim_create_namespace('vt_fim')
local endpoint = vim.g.llama_config.endpoint
local hint

local function hide()
  hint = nil
  vim.api.nvim_buf_clear_namespace(0, namespace, 0, -1)
end

local function lines(first, last)
  return table.concat(vim.api.nvim_buf_get_lines(0, first, last, false), '\n') .. '\n'
end

local function show(reply)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  if not reply.content then
    return -- It is an error.
  end
  local text = vim.split(reply.content, '\n')
  while #text > 1 and text[#text] == '' do
    table.remove(text)
  end
  if vim.fn.mode() ~= 'i' or text[1] == '' then
    return
  end
  local below = vim.tbl_map(function(line) return { { line, 'Comment' } } end, vim.list_slice(text, 2))
  vim.api.nvim_buf_set_extmark(0, namespace, row - 1, column, {
    virt_text = { { text[1], 'Comment' }, { ('  %d ms'):format(reply['timings/predicted_ms']), 'Comment' } },
    virt_text_pos = 'overlay',
    virt_lines = below,
  })
  hint = text
end

local function ask()
  hide()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local line = vim.api.nvim_get_current_line()
  local body = vim.json.encode({
    input_prefix = lines(0, row - 1),
    input_suffix = line:sub(column + 1) .. '\n' .. lines(row, -1),
    input_extra = { { text = 'W = 2\n', time = { 1, 2 }, filename = 'size.py' } },
    prompt = line:sub(1, column),
    n_predict = 128,
    stop = {},
    n_indent = #line:match('^%s*'),
    top_k = 40,
    top_p = 0.90,
    stream = false,
    samplers = { 'top_k', 'top_p', 'infill' },
    cache_prompt = true,
    t_max_prompt_ms = 500,
    t_max_predict_ms = 250,
    response_fields = {
      'content',
      'timings/prompt_n',
      'timings/prompt_ms',
      'timings/prompt_per_token_ms',
      'timings/prompt_per_second',
      'timings/predicted_n',
      'timings/predicted_ms',
      'timings/predicted_per_token_ms',
      'timings/predicted_per_second',
      'truncated',
      'tokens_cached',
    },
  })
  local command = { 'curl', '--silent', '--no-buffer', '--request', 'POST', '--url', endpoint }
  vim.list_extend(command, { '--header', 'Content-Type: application/json', '--data', '@-' })
  local job = vim.fn.jobstart(command, {
    stdout_buffered = true,
    on_stdout = function(_, data)
      local raw = table.concat(data, '\n')
      if raw ~= '' then
        show(vim.json.decode(raw))
      end
    end,
  })
  vim.fn.chansend(job, body)
  vim.fn.chanclose(job, 'stdin')
end

local function accept()
  local text = hint
  hide()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  vim.api.nvim_buf_set_text(0, row - 1, column, row - 1, column, text)
end

vim.api.nvim_create_autocmd('CursorMovedI', { callback = ask })
vim.keymap.set('i', '<Tab>', function()
  vim.schedule(accept)
end)
