"""Checkpoints of any size: sharded safetensors solved slice by slice, safe to interrupt."""
