"""What small networks learn where training with masks is measured: data, and a transformer."""
