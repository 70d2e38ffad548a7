"""The rest of the workspace: what it defines, and which of it to show to the model."""
