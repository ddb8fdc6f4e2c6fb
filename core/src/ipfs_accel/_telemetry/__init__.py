"""What is told and counted of calls: records, log events, spans and metrics, usage, costs and states."""
