"""Files: safetensors read and written tensor by tensor, and masks stored in them."""
