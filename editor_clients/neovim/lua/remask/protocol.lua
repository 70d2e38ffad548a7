---What Remask says beyond LSP: the mirror of `lsp_server/protocol_ext.py`, and the only place of
---the plugin where these names stand.
---protocol: 147c6465f4365f41

---@alias remask.Mode 'infill'|'rewrite'|'repair'|'holes'
---@alias remask.Scope 'selection'|'expression'|'statement'|'body'
---@alias remask.Lines 'auto'|'one'|'many'
---@alias remask.RuntimeStateName 'stopped'|'starting'|'running'|'failed'

---@class remask.Position
---@field line integer
---@field character integer

---@class remask.Range
---@field start remask.Position
---@field end remask.Position

---@class remask.InfillParams
---@field uri string
---@field ranges? remask.Range[]
---@field version? integer
---@field mode? remask.Mode
---@field scope? remask.Scope
---@field instruction? string
---@field lines? remask.Lines
---@field told? remask.Range
---@field another? boolean
---@field strength? number
---@field model? string
---@field sampler? string
---@field params? table<string, any>
---@field seed? integer

---@class remask.CommandResult
---@field applied boolean
---@field reason? string

---@class remask.ScoresParams
---@field uri string
---@field range remask.Range
---@field version? integer

---@class remask.ScoredToken
---@field range remask.Range
---@field doubt number
---@field instead? string

---@class remask.ScoresResult
---@field version integer?
---@field tokens? remask.ScoredToken[]

---@class remask.ShownParams
---@field uri string

---@class remask.ShownResult
---@field text string
---@field model? string

---@class remask.NextEditParams
---@field uri string
---@field version? integer
---@field position? remask.Position

---@class remask.NextEdit
---@field range remask.Range
---@field text string

---@class remask.NextEditResult
---@field version integer?
---@field edits remask.NextEdit[]
---@field title? string
---@field confidence? number
---@field uri? string

---@class remask.DraftSpan
---@field range remask.Range
---@field text string

---@class remask.DraftParams
---@field token string
---@field uri string
---@field version integer?
---@field spans? remask.DraftSpan[]
---@field mark? string
---@field stepIndex? integer
---@field nForwards? integer
---@field nCommitted? integer
---@field done? boolean

---@class remask.StatusResult
---@field state remask.RuntimeStateName
---@field busy? boolean
---@field text? string
---@field model? string
---@field device? string
---@field tokensPerSecond? number
---@field problems? string[]

return {
  DRAFT = 'remask/draft',
  SCORES = 'remask/scores',
  SHOWN = 'remask/shown',
  NEXT_EDIT = 'remask/nextEdit',
  DISMISS_NEXT_EDIT = 'remask/dismissNextEdit',
  STATUS = 'remask/status',
  DID_CHANGE_STATUS = 'remask/didChangeStatus',
  KIND = 'refactor.rewrite.remask',
  COMMANDS = {
    ['remask.infill'] = 'infill',
    ['remask.rewrite'] = 'rewrite',
    ['remask.repair'] = 'repair',
    ['remask.holes'] = 'holes',
  },
  SCOPES = { 'selection', 'expression', 'statement', 'body' },
  LINES = { 'auto', 'one', 'many' },
}
