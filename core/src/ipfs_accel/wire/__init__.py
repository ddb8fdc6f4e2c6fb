"""What several providers speak: framing, the stream assembler, OpenAI's dialect. Public for plugin authors."""
