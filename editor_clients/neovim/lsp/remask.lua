---What `vim.lsp.enable('remask')` starts. Change parts of it with `vim.lsp.config('remask', {...})`:
---`cmd` where `remask` is not on the PATH, `settings.remask` for the server's settings.
---@type vim.lsp.Config
return {
  cmd = { 'remask', 'lsp' },
  -- No `filetypes`: Remask works in any text, and leaves alone what its own settings say.
  root_markers = { '.git', 'pyproject.toml', 'package.json', 'Cargo.toml', 'go.mod' },
  settings = { remask = vim.empty_dict() },
  capabilities = {
    workspace = {
      workspaceEdit = {
        documentChanges = true,
        -- What is to be confirmed is shown for review.
        changeAnnotationSupport = { groupsOnLabel = false },
      },
    },
    -- Neovim 0.11 has no ghost text of its own, so it does not say that it can show some.
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
    experimental = { remask = { drafts = true, nextEdit = true, status = true } },
  },
  before_init = function(params, config)
    -- The server asks for them too, but a request may come before it has the answer.
    params.initializationOptions = (config.settings or {}).remask
  end,
  handlers = {
    ['remask/draft'] = function(_, params, ctx)
      require('remask.draft').show(params, ctx.client_id)
    end,
    ['remask/didChangeStatus'] = function(_, params)
      require('remask.status').update(params)
    end,
    ['workspace/applyEdit'] = function(_, params, ctx)
      return require('remask.edit').answer(params, ctx.client_id)
    end,
  },
  on_attach = function(client, bufnr)
    require('remask.client').attached(client, bufnr)
  end,
  on_exit = function(code, signal, client_id)
    vim.schedule(function()
      require('remask.client').exited(code, signal, client_id)
    end)
  end,
}
