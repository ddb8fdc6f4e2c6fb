"""What several providers speak: framing, the stream assembler, OpenAI's dialect. Public for plugin authors.

- Frames and bodies: `sse`, `ndjson`, `multipart`
- Streams: `assembler`, `collector`, `pieces`, `halves`
- Answers: `fields`, `lists`, `vectors`, `ranks`, `pictures`, `several`, `distinct`, `words`
- Conversations: `returned`, `roles`, `tools`, `names`, `documents`, `token_ranges`
- Requests of others: `relays`, `keepsakes`
- Schemas: `schemas`, `schema_forms`, `schema_drafts`, `schema_keywords`, `schema_check`
- Any request: `raw`, `raw_plans`
- Servers of one's own: `shown`, `windows`
- Late imports: `late`
- OpenAI's dialect, to inherit from: `openai`, `openai_audio`, `openai_images`, `openai_files`, `openai_responses`,
  `openai_routes`, `openai_facts`
- OpenAI's dialect, its parts: `openai_requests`, `openai_answers`, `openai_messages`, `openai_streams`, `openai_calls`,
  `openai_errors`, `openai_vectors`, `openai_tokens`, `openai_relays`, `openai_usage_events`,
  `openai_responses_requests`, `openai_responses_answers`
"""
