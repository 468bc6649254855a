"""Methods batched in torch: for tensors on any device."""
