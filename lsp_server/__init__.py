"""Text in editors: positions, syntax and edits. No tensors: the model lives in another process."""
