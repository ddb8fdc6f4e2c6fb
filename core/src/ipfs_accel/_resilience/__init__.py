"""What stands between a call and its failure: retries, limits, breakers, key pools, routes, caches, records.

The modules here decide and never wait: they are functions and objects of (history, time, chance). What a call has to
wait for is an effect, which `_worlds` carries out in either world; `attempts`, `routes`, `cached` and `joined`
beside it put the decisions into the steps of a call.
"""
