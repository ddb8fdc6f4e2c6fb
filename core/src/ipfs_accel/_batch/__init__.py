"""A run over many rows on this machine: planned once, journaled row by row, ended with one line for each row.

`planning` cuts the input into shards; `engine` says which row is asked for next, and keeps what comes of it; `folder`
has the files: a journal for each shard that is under way, the finished shards, and the manifest that lists them. None
of it waits; the faces in `_client.batch_runs` do.
"""
