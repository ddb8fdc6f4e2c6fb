"""From what callers write to typed requests, with errors that name the field. Nothing is sent before this is done."""
